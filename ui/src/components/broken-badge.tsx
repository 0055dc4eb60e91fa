/** Marks a trace whose spans do not hang together. */
export function BrokenBadge() {
  const title = 'Not one tree: a parent was not received, or there is more than one root';
  return (
    <span class="badge badge-warning" title={title} data-testid="broken">
      broken
    </span>
  );
}
