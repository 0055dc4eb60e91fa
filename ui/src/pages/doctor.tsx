// What keeps the project's traces from connecting: every finding of the chosen time, by the service
// whose set-up has to change.

import { useEffect } from 'preact/hooks';
import { api, type Finding, type ProjectFindings } from '../api';
import { Problem } from '../components/problem';
import { TimeChoice } from '../components/time-choice';
import { FindingCard, OtherTrace, TracesWithIt } from '../findings/finding-card';
import { plural } from '../format';
import { useAnswer } from '../metrics/use-answer';
import { currentProject, href, navigate, place } from '../router';
import { askedRange, readRange } from '../services/range';
import { colourOf } from '../waterfall/colour';

export function DoctorPage() {
  const range = readRange(place.value.params);
  const id = JSON.stringify([range, currentProject()]);
  useEffect(() => {
    document.title = 'Doctor · TraceKit';
  }, []);
  // Asked once: each answer reads hundreds of traces.
  const { answer, error } = useAnswer(id, false, (signal) =>
    api.findings(askedRange(range), signal),
  );
  return (
    <div class="page">
      <div class="page-head">
        <h1>Doctor</h1>
        <span class="spacer" />
        <TimeChoice
          range={range}
          bounded
          onChoose={(chosen) => navigate(href('/doctor', { ...chosen }))}
        />
      </div>
      {error !== null && <Problem error={error} />}
      {answer === null && error === null && (
        <p class="loading" role="status">
          Looking at the traces…
        </p>
      )}
      {answer !== null && <Answer answer={answer} />}
    </div>
  );
}

function Answer({ answer }: { answer: ProjectFindings }) {
  const { findings, traceCount, spanCount, cut } = answer;
  const services = [...new Set(findings.map(({ service }) => service ?? ''))];
  const looked = `${plural(traceCount, 'trace')} with ${plural(spanCount, 'span')}`;
  if (traceCount === 0)
    return (
      <div class="nothing" data-testid="doctor-nothing">
        <p>No trace began in this time, so there was nothing to look at.</p>
        <p>
          <a href={href('/doctor', { start: '-7d' })}>Look at the last 7 days</a>
        </p>
      </div>
    );
  return (
    <>
      <p class="muted doctor-looked" data-testid="looked">
        {looked} {traceCount === 1 ? 'was' : 'were'} looked at
        {cut ? `, a sample: ${cuts[cut] ?? cut}` : ', all of this time'}.
      </p>
      {findings.length === 0 && <Healthy />}
      {services.map((service) => (
        <ServiceFindings
          key={service}
          service={service}
          findings={findings.filter((each) => (each.service ?? '') === service)}
        />
      ))}
    </>
  );
}

const cuts: Record<string, string> = {
  traces: 'there are more of them',
  time: 'the five seconds for it were over',
  memory: 'some traces are too long to be read whole',
  findings: 'there are more findings than are told',
};

function ServiceFindings({ service, findings }: { service: string; findings: Finding[] }) {
  return (
    <section class="findings" aria-label={service || 'Any service'}>
      <h2>
        {service ? (
          <>
            <span class="wf-swatch" style={{ '--service': colourOf(service) }} />{' '}
            <bdi class="wrap">{service}</bdi>
          </>
        ) : (
          'Of no one service'
        )}{' '}
        <span class="muted num">{findings.length}</span>
      </h2>
      {findings.map((finding, i) => (
        <FindingCard key={i} finding={finding} Heading="h3">
          <TracesWithIt finding={finding} />
          <OtherTrace finding={finding} />
        </FindingCard>
      ))}
    </section>
  );
}

/** Every rule of docs/findings.md, in words. */
const checked: [rule: string, words: string][] = [
  ['not-a-target', 'the browser sends trace headers to all of your services'],
  ['same-origin-default', 'and not to its own origin alone'],
  ['cors-refused', 'no request with trace headers is refused by CORS'],
  ['backend-silent', 'every backend that is called sends spans'],
  ['not-extracted', 'and continues the trace that it is sent'],
  ['header-stripped', 'nothing on the way takes the header away'],
  ['raw-client', 'calls between services are made by clients that pass it on'],
  ['continues-in-other-project', 'no part of a trace is in another project'],
  ['parent-in-other-project', 'nor its beginning'],
  ['shared-service-name', 'every program has a service name of its own'],
  ['missing-root', 'every trace has its beginning'],
  ['broken-parent', 'and every span its parent'],
  ['clock-skew', 'clocks agree'],
  ['async-after-response', 'what a request began ends before its answer'],
  ['late-spans', 'no context outlives its trace'],
  ['sampling-mismatch', 'all services sample alike'],
];

function Healthy() {
  return (
    <section class="healthy" data-testid="healthy">
      <p class="notice notice-good">
        <strong>Nothing is wrong.</strong> The traces of this time connect.
      </p>
      <h2>What was checked</h2>
      <ul>
        {checked.map(([rule, words]) => (
          <li key={rule}>
            {words}{' '}
            <a href={`/docs/findings#${rule}`} aria-label={`About ${rule}`}>
              <code>{rule}</code>
            </a>
          </li>
        ))}
      </ul>
      <p class="muted">
        What never reached the server cannot be seen here: <code>tracekit doctor DIR</code> reads a
        project’s sources, <code>tracekit verify URL</code> sends a request and waits for its trace.
      </p>
    </section>
  );
}
