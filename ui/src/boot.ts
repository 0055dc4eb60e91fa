// Runs before the first paint, so that a dark reader never sees a white flash; and asks for what
// will be shown, so that the answer comes while the page's script is read. The build puts it into
// the document.
import { apiUrl, askEarly } from './early';
import { applyTheme, followSystemTheme } from './theme';
import { columnsUrl, firstRows } from './trace/first-window';
import { firstPage, readSearch } from './traces/search';

// The list's own address: what is asked early is what the page asks for.
if (location.pathname === '/') history.replaceState(null, '', '/traces' + location.search);
const params = new URLSearchParams(location.search);
const project = params.get('project');
const [, page, traceId, ...rest] = location.pathname.split('/');
if (page !== 'docs') askEarly(apiUrl('/whoami', { project }));
if (page === 'traces' && traceId && rest.length === 0) {
  askEarly(columnsUrl(traceId, project, firstRows));
} else if (page === 'traces' && !traceId) {
  const search = readSearch(params);
  // A time as `-15m` is another one at each asking.
  if (!search.start && !search.end) askEarly(apiUrl('/traces', { project, ...firstPage(search) }));
}

// Behind the questions: what was chosen has to be read from the disk.
applyTheme();
followSystemTheme();
