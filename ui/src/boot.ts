// Runs before the first paint, so that a dark reader never sees a white flash.
import { applyTheme, followSystemTheme } from './theme';

applyTheme();
followSystemTheme();
