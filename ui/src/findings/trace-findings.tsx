// What the server's doctor says of the open trace: nothing where nothing is wrong, else a line that
// opens to cause and cure.

import { useEffect, useState } from 'preact/hooks';
import { api, type Finding } from '../api';
import { plural } from '../format';
import { FindingCard, OtherTrace, Words } from './finding-card';

/** A trace this big is looked at only when asked for: the server reads all of it. */
const unaskedSpansMax = 20_000;
/** The newest span is still too young for some rules. */
const againMillis = 30_000;

interface Props {
  traceId: string;
  spanCount: number;
  /** Marks spans of the trace, and goes to the first. */
  onEvidence: (ids: string[]) => void;
}

export function TraceFindings({ traceId, spanCount, onEvidence }: Props) {
  const [asked, setAsked] = useState(spanCount <= unaskedSpansMax);
  const { findings, isOver } = useFindings(asked ? traceId : null, spanCount);
  if (!asked)
    return (
      <p class="findings-strip">
        <button type="button" class="link" onClick={() => setAsked(true)}>
          Ask the doctor about this trace
        </button>
      </p>
    );
  const first = findings[0];
  if (!first) {
    if (!isOver || spanCount <= unaskedSpansMax) return null;
    return <p class="findings-strip muted">The doctor found nothing wrong in this trace.</p>;
  }
  return (
    <details class={`findings-strip findings-strip-${first.severity}`} data-testid="findings">
      <summary>
        <strong>Doctor</strong> <Words text={first.message} />
        {findings.length > 1 && (
          <span class="muted"> and {plural(findings.length - 1, 'other finding')}</span>
        )}
      </summary>
      <div class="findings">
        {findings.map((finding, i) => (
          <FindingCard key={i} finding={finding} Heading="h2">
            <button
              type="button"
              class="link"
              data-testid="evidence"
              onClick={() => onEvidence(finding.spans)}
            >
              {finding.spanCount > finding.spans.length
                ? `Mark the first ${finding.spans.length} of ${plural(finding.spanCount, 'span')}`
                : `Mark ${finding.spanCount === 1 ? 'the span' : plural(finding.spanCount, 'span')}`}
            </button>
            <OtherTrace finding={finding} />
          </FindingCard>
        ))}
      </div>
    </details>
  );
}

/** Asked once, and once more when the trace is as old as every rule wants it. A doctor that fails says nothing. */
function useFindings(traceId: string | null, spanCount: number) {
  const [answer, setAnswer] = useState<{ findings: Finding[]; isOver: boolean }>({
    findings: [],
    isOver: false,
  });
  useEffect(() => {
    if (traceId === null) return;
    const stopping = new AbortController();
    let timer = 0;
    const ask = (again: boolean) =>
      api.traceFindings(traceId, stopping.signal).then(
        ({ findings, settled }) => {
          setAnswer({ findings, isOver: true });
          if (!settled && again) timer = window.setTimeout(() => void ask(false), againMillis);
        },
        () => setAnswer({ findings: [], isOver: false }),
      );
    void ask(true);
    return () => {
      stopping.abort();
      clearTimeout(timer);
    };
  }, [traceId, spanCount]);
  return answer;
}
