// Dark or light. The system decides until the reader does; the choice is kept on this machine.

export type ThemeChoice = 'system' | 'light' | 'dark';

const storageKey = 'tracekit.theme';
const systemDark = matchMedia('(prefers-color-scheme: dark)');

export function themeChoice(): ThemeChoice {
  try {
    const kept = localStorage.getItem(storageKey);
    return kept === 'light' || kept === 'dark' ? kept : 'system';
  } catch {
    return 'system'; // storage is forbidden here
  }
}

/** Puts the theme in force on the root element, where theme.css looks for it. */
export function applyTheme(): void {
  const choice = themeChoice();
  const theme = choice === 'system' ? (systemDark.matches ? 'dark' : 'light') : choice;
  document.documentElement.dataset.theme = theme;
}

export function chooseTheme(choice: ThemeChoice): void {
  try {
    if (choice === 'system') localStorage.removeItem(storageKey);
    else localStorage.setItem(storageKey, choice);
  } catch {
    // the choice then lasts until the page is left
    document.documentElement.dataset.theme = choice;
    return;
  }
  applyTheme();
}

export function followSystemTheme(): void {
  systemDark.addEventListener('change', applyTheme);
}
