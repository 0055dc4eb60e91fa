import type { Key } from '../api';
import { Confirm } from '../components/confirm';
import { formatAgo, formatDay, formatInstant } from '../format';

interface Props {
  keys: Key[];
  onRevoke: (id: number) => void;
}

export function KeyTable({ keys, onRevoke }: Props) {
  if (keys.length === 0) return <p class="muted">No keys yet.</p>;
  return (
    <table class="plain stacked">
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Kind</th>
          <th scope="col">Project</th>
          <th scope="col">Begins with</th>
          <th scope="col">Origins</th>
          <th scope="col">Created</th>
          <th scope="col">Last used</th>
          <th scope="col">
            <span class="sr-only">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {keys.map((key) => (
          <KeyRow key={key.id} item={key} onRevoke={onRevoke} />
        ))}
      </tbody>
    </table>
  );
}

function KeyRow({ item, onRevoke }: { item: Key; onRevoke: Props['onRevoke'] }) {
  const used =
    item.lastUsedUnixNano && item.lastUsedUnixNano !== '0' ? item.lastUsedUnixNano : null;
  return (
    <tr data-testid="key" data-key-id={item.id} class={item.revoked ? 'is-revoked' : ''}>
      <td data-label="Name">
        <bdi>{item.name || '–'}</bdi>
      </td>
      <td data-label="Kind">{item.kind}</td>
      <td data-label="Project">
        <bdi>{item.project}</bdi>
      </td>
      <td data-label="Begins with">
        <code>{item.prefix}…</code>
      </td>
      <td data-label="Origins">
        {item.origins.length > 0 ? item.origins.join(', ') : <span class="muted">–</span>}
      </td>
      <td data-label="Created" class="num muted">
        {formatDay(item.createdUnixNano)}
      </td>
      <td data-label="Last used" class="num muted" title={used ? formatInstant(used) : undefined}>
        {used ? formatAgo(used) : 'never'}
      </td>
      <td class="right">
        {item.revoked ? (
          <span class="muted">revoked</span>
        ) : (
          <Confirm
            action="Revoke"
            label={`Revoke key ${item.name || item.prefix}`}
            question="Revoke this key? Whoever still uses it is refused at once."
            onConfirm={() => onRevoke(item.id)}
          />
        )}
      </td>
    </tr>
  );
}
