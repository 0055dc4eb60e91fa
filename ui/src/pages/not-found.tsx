import { href } from '../router';

export function NotFound() {
  return (
    <div class="center-card">
      <h1>No such page</h1>
      <p>
        <a href={href('/traces')}>All traces</a>
      </p>
    </div>
  );
}
