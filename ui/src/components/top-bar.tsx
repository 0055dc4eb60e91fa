// Name, pages, project, theme, sign-out.

import { useState } from 'preact/hooks';
import { currentProject, href, navigate, place } from '../router';
import { signOut, whoami } from '../session';
import { chooseTheme, themeChoice, type ThemeChoice } from '../theme';
import { chooseZone, zone } from '../zone';
import { Logo, MoonIcon, ScreenIcon, SunIcon } from './icons';

const pages = [
  ['/traces', 'Traces'],
  ['/services', 'Services'],
  ['/map', 'Map'],
  ['/tags', 'Tags'],
  ['/doctor', 'Doctor'],
  ['/settings', 'Settings'],
] as const;

export function TopBar() {
  const { path } = place.value;
  return (
    <header class="top-bar">
      <a class="brand" href={href('/traces')} aria-label="TraceKit">
        <Logo />
        <span>TraceKit</span>
      </a>
      <nav aria-label="Pages">
        {pages.map(([to, name]) => (
          <a key={to} href={href(to)} aria-current={path.startsWith(to) ? 'page' : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <span class="spacer" />
      <ProjectChoice />
      <ZoneButton />
      <ThemeButton />
      {whoami.value && whoami.value.kind !== 'dev' && (
        <button type="button" class="button" onClick={signOut}>
          Sign out
        </button>
      )}
    </header>
  );
}

/** Which project's traces are shown; a choice only where there is one. */
function ProjectChoice() {
  const me = whoami.value;
  if (!me) return null;
  const current = currentProject() ?? me.project.name;
  if (me.projects.length < 2) {
    return (
      <span class="project muted" title="Project">
        <bdi>{current}</bdi>
      </span>
    );
  }
  const choose = (name: string) =>
    navigate(href(place.value.path === '/settings' ? '/settings' : '/traces', { project: name }));
  return (
    <select
      class="project"
      aria-label="Project"
      value={current}
      onChange={(event) => choose(event.currentTarget.value)}
    >
      {me.projects.map((project) => (
        <option key={project.id}>{project.name}</option>
      ))}
    </select>
  );
}

const zones = {
  local: { short: 'Local', long: 'local time' },
  utc: { short: 'UTC', long: 'UTC' },
};

function ZoneButton() {
  const next = zone.value === 'utc' ? 'local' : 'utc';
  const { short, long } = zones[zone.value];
  return (
    <button
      type="button"
      class="button-icon zone"
      onClick={() => chooseZone(next)}
      data-testid="zone"
      aria-label={`${short}: times are ${long}. Change to ${zones[next].long}`}
      title={`Times are ${long}`}
    >
      {short}
    </button>
  );
}

const themes: { choice: ThemeChoice; name: string; Icon: typeof SunIcon }[] = [
  { choice: 'system', name: 'the system’s', Icon: ScreenIcon },
  { choice: 'light', name: 'light', Icon: SunIcon },
  { choice: 'dark', name: 'dark', Icon: MoonIcon },
];

function ThemeButton() {
  const [choice, setChoice] = useState(themeChoice());
  const at = themes.findIndex((theme) => theme.choice === choice);
  const { name, Icon } = themes[at]!;
  const next = themes[(at + 1) % themes.length]!;
  const change = () => {
    chooseTheme(next.choice);
    setChoice(next.choice);
  };
  return (
    <button
      type="button"
      class="button-icon"
      onClick={change}
      data-testid="theme"
      aria-label={`Theme: ${name}. Change to ${next.name}`}
      title={`Theme: ${name}`}
    >
      <Icon />
    </button>
  );
}
