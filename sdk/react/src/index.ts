/**
 * TraceKit for React: all of the browser SDK, and what React expects beside it. A page that loads
 * `@tracekit/browser` too still has one instance.
 */

import { Component, type ErrorInfo, type ReactNode } from 'react';
import { TraceKit, type Options, type Span, type TraceKitApi } from '../../browser/src/index.js';

export * from '../../browser/src/index.js';
export { default } from '../../browser/src/index.js';

export interface TraceKitErrorBoundaryProps {
  children?: ReactNode;
  /** Shown instead of the children after an error. */
  fallback?: ReactNode | ((error: unknown, reset: () => void) => ReactNode);
  onError?: (error: unknown, info: ErrorInfo) => void;
}

interface Failure {
  error: unknown;
}

/** Records what its children throw while rendering, and shows the fallback. */
export class TraceKitErrorBoundary extends Component<
  TraceKitErrorBoundaryProps,
  { failure: Failure | undefined }
> {
  override state: { failure: Failure | undefined } = { failure: undefined };

  static getDerivedStateFromError(error: unknown): { failure: Failure } {
    return { failure: { error } };
  }

  override componentDidCatch(error: unknown, info: ErrorInfo): void {
    TraceKit.captureException(error);
    this.props.onError?.(error, info);
  }

  readonly reset = (): void => this.setState({ failure: undefined });

  override render(): ReactNode {
    const { failure } = this.state;
    if (!failure) return this.props.children;
    const { fallback } = this.props;
    return typeof fallback === 'function' ? fallback(failure.error, this.reset) : fallback;
  }
}

export interface TraceKitProviderProps {
  /** What `TraceKit.init` takes. Read once, when the provider is first rendered. */
  config: Options;
  children?: ReactNode;
}

let provided = false;

/** Starts tracing before its children render: `TraceKit.init` for those who like it in the tree. */
export class TraceKitProvider extends Component<TraceKitProviderProps> {
  constructor(props: TraceKitProviderProps) {
    super(props);
    if (!provided) TraceKit.init(props.config);
    provided = true;
  }

  override render(): ReactNode {
    return this.props.children;
  }
}

/** `const { startSpan } = useTraceKitSpan()`: for work a component starts. */
export function useTraceKitSpan(): Pick<TraceKitApi, 'startSpan' | 'currentSpan'> {
  return TraceKit;
}

export interface TraceKitProfilerProps {
  /** What its spans are called: `render <name>`. */
  name: string;
  children?: ReactNode;
}

/** A span for each time it renders, from there until what is below it is on the page. */
export class TraceKitProfiler extends Component<TraceKitProfilerProps> {
  private _span: Span | undefined;
  private _phase = 'mount';

  private _done(): void {
    this._span?.setTag('react.phase', this._phase).end();
    this._span = undefined;
    this._phase = 'update';
  }

  override componentDidMount(): void {
    this._done();
  }

  override componentDidUpdate(): void {
    this._done();
  }

  override render(): ReactNode {
    this._span ??= TraceKit.startSpan(`render ${this.props.name}`);
    return this.props.children;
  }
}

interface RouterState {
  matches: readonly { route: { path?: string | undefined } }[];
}

/** The part of React Router's data routers that is needed: the SDK depends on no router. */
export interface TracedRouter {
  readonly state: RouterState;
  subscribe(listener: (state: RouterState) => void): () => void;
}

function nameByRoute({ matches }: RouterState): void {
  const parts = matches.flatMap(({ route }) => route.path?.split('/') ?? []);
  const span = TraceKit.currentSpan();
  const kind = span && /^(pageload|navigation) /.exec(span.name);
  const route = `/${parts.filter(Boolean).join('/')}`;
  if (kind) span.setName(kind[0] + route).setTag('http.route', route);
}

/**
 * `traceRouter(createBrowserRouter(routes))`: page loads and navigations are called after their
 * routes, `/users/:id`, and not after their paths. Gives the router back.
 */
export function traceRouter<R extends TracedRouter>(router: R): R {
  nameByRoute(router.state);
  router.subscribe(nameByRoute);
  return router;
}

/** React 19: `createRoot(element, traceKitCreateRootOptions())` records errors at the root. */
export function traceKitCreateRootOptions(): {
  onUncaughtError: (error: unknown) => void;
  onCaughtError: (error: unknown) => void;
} {
  const record = (error: unknown): void => {
    console.error(error);
    TraceKit.captureException(error);
  };
  return { onUncaughtError: record, onCaughtError: record };
}
