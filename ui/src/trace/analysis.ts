// All that is found out about a whole trace, besides what is drawn: see the modules named here.

import { criticalPath, type CriticalPath } from './critical';
import { findGaps, type Gaps } from './gaps';
import { clockOffsets, findSkew, type Skew } from './skew';
import { statistics, type Statistics } from './statistics';
import type { Trace } from './trace';

export interface Analysis {
  path: CriticalPath;
  gaps: Gaps;
  skews: Skew[];
  /** By service: how far its clock is ahead of the root's. */
  clocks: Float64Array;
  statistics: Statistics;
}

export function analyse(trace: Trace): Analysis {
  const { spans, services, durationNano } = trace;
  const path = criticalPath(spans);
  const skews = findSkew(spans);
  return {
    path,
    gaps: findGaps(spans, durationNano),
    skews,
    clocks: clockOffsets(spans, skews, services.length),
    statistics: statistics(spans, path),
  };
}

/** Only a trace that is there whole can be looked at. */
export interface OpenTrace {
  trace: Trace;
  analysis: Analysis | null;
}
