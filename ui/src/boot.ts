// Runs before the first paint, so that a dark reader never sees a white flash; and asks for what
// will be shown, so that the answer comes while the page's script is read.
import { applyTheme, followSystemTheme } from './theme';
import { askEarly } from './trace/first-window';

applyTheme();
followSystemTheme();
askEarly();
