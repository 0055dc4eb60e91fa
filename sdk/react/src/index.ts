/**
 * TraceKit for React: all of the browser SDK, and what React expects beside it. A page that loads
 * `@tracekit/browser` too still has one instance.
 */

import { Component, type ErrorInfo, type ReactNode } from 'react';
import { TraceKit, type Options, type TraceKitApi } from '../../browser/src/index.js';

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
