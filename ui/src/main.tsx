// Starts the page and picks what to show for a path.

import { render, type ComponentChildren } from 'preact';
import { useErrorBoundary } from 'preact/hooks';
import { signedOut } from './api';
import { Problem } from './components/problem';
import { TopBar } from './components/top-bar';
import { ComparePage } from './pages/compare';
import { DoctorPage } from './pages/doctor';
import { MapPage } from './pages/map';
import { NotFound } from './pages/not-found';
import { ServicePage } from './pages/service';
import { ServicesPage } from './pages/services';
import { SettingsPage } from './pages/settings';
import { SignIn } from './pages/sign-in';
import { TagsPage } from './pages/tags';
import { TracePage } from './pages/trace';
import { TracesPage } from './pages/traces';
import { place, startRouter } from './router';
import { loadWhoami } from './session';
import './styles/main.css';

function App() {
  const { path } = place.value;
  return (
    <>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <TopBar />
      <main id="main" tabIndex={-1}>
        <Guard key={path}>{signedOut.value ? <SignIn /> : <Page path={path} />}</Guard>
      </main>
    </>
  );
}

/** A fault in one page leaves the bar, and says what happened instead of showing nothing. */
function Guard({ children }: { children: ComponentChildren }) {
  const [error] = useErrorBoundary();
  if (!error) return <>{children}</>;
  return (
    <div class="page">
      <Problem error={error} />
    </div>
  );
}

function Page({ path }: { path: string }) {
  const traceId = /^\/traces\/([^/]+)$/.exec(path)?.[1];
  if (traceId) return <TracePage key={traceId} traceId={traceId} />;
  if (path === '/traces') return <TracesPage />;
  const service = /^\/services\/([^/]+)$/.exec(path)?.[1];
  if (service) return <ServicePage key={service} name={decodeURIComponent(service)} />;
  if (path === '/services') return <ServicesPage />;
  if (path === '/compare') return <ComparePage />;
  if (path === '/doctor') return <DoctorPage />;
  if (path === '/tags') return <TagsPage />;
  if (path === '/map') return <MapPage />;
  if (path === '/settings') return <SettingsPage />;
  return <NotFound />;
}

startRouter();
void loadWhoami();
const app = document.getElementById('app')!;
app.replaceChildren();
render(<App />, app);
