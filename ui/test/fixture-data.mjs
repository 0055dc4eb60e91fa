// Seeded traces in the shapes of the API. `goldenTrace` is the trace of the document: three
// services, seven spans, eight rows.

const ms = 1_000_000n;
export const baseNano = 1_767_225_600_000_000_000n; // 2026-01-01T00:00:00Z

/** A small generator, so that every run has the same traces. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const hexId = (next, digits) =>
  Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join('');

/**
 * Builds a Trace from spans `{ id, parent, name, service, kind, at, for, … }`, times in
 * milliseconds (fractions allowed). The row rule is ui.md's: a visit to a service is one block.
 */
export function makeTrace(traceId, startNano, plainSpans) {
  const nano = (millis) => BigInt(Math.round(millis * 1e6));
  const byId = new Map(plainSpans.map((span) => [span.id, span]));
  const children = new Map();
  for (const span of plainSpans) {
    const parent = byId.has(span.parent) ? span.parent : null;
    children.set(parent, [...(children.get(parent) ?? []), span]);
  }
  for (const list of children.values()) list.sort((a, b) => a.at - b.at);
  const under = (span) => children.get(span?.id ?? null) ?? [];

  const spans = [];
  const indexOf = new Map();
  const visitTree = (span, depth) => {
    indexOf.set(span.id, spans.length);
    const busy = under(span).reduce((sum, child) => sum + child.for, 0);
    spans.push({
      spanId: span.id,
      ...(span.parent ? { parentSpanId: span.parent } : {}),
      name: span.name,
      kind: span.kind ?? 'INTERNAL',
      serviceName: span.service,
      startTimeUnixNano: String(startNano + nano(span.at)),
      durationNano: String(nano(span.for)),
      selfTimeNano: String(nano(Math.max(span.for - busy, 0))),
      depth,
      ...(span.parent && !byId.has(span.parent) ? { orphan: true } : {}),
      status: span.status ?? { code: 'UNSET' },
      attributes: span.attributes ?? {},
      events: (span.events ?? []).map(({ at, ...event }) => ({
        ...event,
        timeUnixNano: String(startNano + nano(at)),
      })),
      links: span.links ?? [],
      resource: services.indexOf(span.service),
      scope: 0,
    });
    for (const child of under(span)) visitTree(child, depth + 1);
  };
  const services = [...new Set(plainSpans.map((span) => span.service))];
  for (const root of under(null)) visitTree(root, 0);

  const rows = [];
  const visitService = (entry) => {
    const members = [];
    const called = [];
    const walk = (span, depth) => {
      members.push({ span, depth });
      for (const child of under(span)) {
        if (child.service === entry.service) walk(child, depth + 1);
        else called.push(child);
      }
    };
    const folded = entry.name === entry.service;
    walk(entry, folded ? 0 : 1);
    const from = Math.min(...members.map(({ span }) => span.at));
    const to = Math.max(...members.map(({ span }) => span.at + span.for));
    rows.push({
      type: 'service',
      depth: 0,
      service: entry.service,
      name: entry.service,
      span: folded ? indexOf.get(entry.id) : null,
      offsetNano: String(nano(from)),
      durationNano: String(nano(to - from)),
    });
    for (const { span, depth } of members) {
      if (folded && span === entry) continue;
      rows.push({
        type: 'span',
        depth,
        service: span.service,
        name: span.name,
        span: indexOf.get(span.id),
        offsetNano: String(nano(span.at)),
        durationNano: String(nano(span.for)),
      });
    }
    called.sort((a, b) => a.at - b.at).forEach(visitService);
  };
  under(null).forEach(visitService);

  const isError = (span) => span.status.code === 'ERROR';
  return {
    traceId,
    startTimeUnixNano: String(startNano),
    durationNano: String(nano(Math.max(...plainSpans.map((span) => span.at + span.for)))),
    spanCount: spans.length,
    errorCount: spans.filter(isError).length,
    services: services.map((name) => {
      const own = spans.filter((span) => span.serviceName === name);
      return { name, spanCount: own.length, errorCount: own.filter(isError).length };
    }),
    broken: under(null).length > 1 || spans.some((span) => span.orphan),
    spans,
    rows,
    resources: services.map((name) => ({
      attributes: {
        'service.name': name,
        'service.version': '1.4.2',
        'deployment.environment.name': 'test',
      },
    })),
    scopes: [{ name: '@tracekit/test', version: '0.1.0' }],
  };
}

export function summaryOf(trace) {
  const root = trace.spans[0];
  return {
    traceId: trace.traceId,
    startTimeUnixNano: trace.startTimeUnixNano,
    durationNano: trace.durationNano,
    rootServiceName: root.serviceName,
    rootName: root.name,
    spanCount: trace.spanCount,
    errorCount: trace.errorCount,
    services: trace.services,
    broken: trace.broken,
  };
}

export const goldenId = '4bf92f3577b34da6a3ce929d0e0e4736';

export function goldenTrace() {
  const web = 'React Frontend';
  const node = 'Node.js API';
  const go = 'Go Microservice';
  return makeTrace(goldenId, baseNano + 3_600_000n * ms, [
    {
      id: '00f067aa0ba902b1',
      name: web,
      service: web,
      kind: 'CLIENT',
      at: 0,
      for: 420,
      attributes: { 'user.id': 'u-1042', 'user.plan': 'enterprise', 'ui.action': 'Load Users' },
    },
    {
      id: '00f067aa0ba902b2',
      parent: '00f067aa0ba902b1',
      name: 'fetch /api/users',
      service: web,
      kind: 'CLIENT',
      at: 20,
      for: 380,
      attributes: {
        'http.request.method': 'GET',
        'url.full': 'http://localhost:3001/api/users',
        'http.response.status_code': 200,
        'tracekit.propagation': 'sent',
      },
    },
    {
      id: '00f067aa0ba902b3',
      parent: '00f067aa0ba902b2',
      name: node,
      service: node,
      kind: 'SERVER',
      at: 30,
      for: 360,
      attributes: {
        'http.request.method': 'GET',
        'http.route': '/api/users',
        'http.response.status_code': 200,
      },
    },
    {
      id: '00f067aa0ba902b4',
      parent: '00f067aa0ba902b3',
      name: 'GET /api/users',
      service: node,
      at: 40,
      for: 300,
      attributes: { 'order.id': 42, cached: false },
    },
    {
      id: '00f067aa0ba902b5',
      parent: '00f067aa0ba902b3',
      name: 'validate-auth',
      service: node,
      at: 345,
      for: 40,
    },
    {
      id: '00f067aa0ba902b6',
      parent: '00f067aa0ba902b4',
      name: 'GET /users',
      service: go,
      kind: 'SERVER',
      at: 80,
      for: 240,
      attributes: {
        'http.request.method': 'GET',
        'http.route': '/users',
        'http.response.status_code': 200,
      },
    },
    {
      id: '00f067aa0ba902b7',
      parent: '00f067aa0ba902b6',
      name: 'db.Query',
      service: go,
      kind: 'CLIENT',
      at: 110,
      for: 180,
      attributes: {
        'db.system.name': 'sqlite',
        'db.query.text': 'SELECT id, name FROM users WHERE plan = ?',
        rows: 128,
      },
    },
  ]);
}

export const failedId = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';

/** An error with an exception and its stack, a link, nested values, a span without its parent. */
export function failedTrace() {
  return makeTrace(failedId, baseNano + 3_601_000n * ms, [
    {
      id: 'c000000000000001',
      name: 'POST /checkout',
      service: 'checkout',
      kind: 'SERVER',
      at: 0,
      for: 1250,
      status: { code: 'ERROR', message: 'payment declined: card expired' },
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/checkout',
        'http.response.status_code': 502,
        'cart.items': [3, 1, 2],
        'cart.meta': { coupon: 'SPRING', gift: true },
        'retry.after': 1.5,
      },
      events: [
        { at: 12, name: 'cart loaded', attributes: { items: 3 } },
        {
          at: 1240,
          name: 'exception',
          attributes: {
            'exception.type': 'PaymentError',
            'exception.message': 'card expired',
            'exception.stacktrace':
              'PaymentError: card expired\n    at charge (pay.js:41:11)\n' +
              '    at checkout (cart.js:88:5)\n    at async handler (server.js:19:3)',
          },
        },
      ],
      links: [
        { traceId: goldenId, spanId: '00f067aa0ba902b7', attributes: { reason: 'retry of' } },
      ],
    },
    {
      id: 'c000000000000002',
      parent: 'c000000000000001',
      name: 'charge',
      service: 'payments',
      kind: 'SERVER',
      at: 200,
      for: 1000,
      status: { code: 'ERROR', message: '' },
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/charge',
        'http.response.status_code': 402,
      },
    },
    {
      id: 'c000000000000003',
      parent: 'dddddddddddddddd',
      name: 'settle',
      service: 'ledger',
      kind: 'CONSUMER',
      at: 1100,
      for: 0.18,
      attributes: { 'messaging.system': 'kafka' },
    },
  ]);
}

export const hostileId = '6666666666666666666666666666dead';
export const hostileNames = {
  html: '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>',
  long: 'long-name-'.repeat(1000),
  rtl: 'שלום \u202Eevil\u202C مرحبا',
  emoji: '👩‍👩‍👧‍👦 span 🚀',
  blank: '   ',
};

export function hostileTrace() {
  const names = Object.values(hostileNames);
  return makeTrace(
    hostileId,
    baseNano + 3_602_000n * ms,
    names.map((name, i) => ({
      id: `bad000000000000${i}`,
      parent: i === 0 ? undefined : 'bad0000000000000',
      name,
      service: i % 2 ? 'svc' : names[0],
      at: i,
      for: 10 - i,
      attributes: { [names[0]]: names[0], long: hostileNames.long, rtl: hostileNames.rtl },
      events: [{ at: i, name: names[0], attributes: { 'exception.stacktrace': names[0] } }],
    })),
  );
}

export const bigId = '00000000000000000000000000b16b16';

/** Ten thousand spans, for the row pool. */
export function bigTrace(count = 10_000) {
  const next = random(7);
  const spans = [{ id: 'f000000000000000', name: 'root', service: 'big', at: 0, for: 10_000 }];
  for (let i = 1; i < count; i++) {
    const parent = spans[Math.floor(next() * Math.min(i, 40)) + Math.max(0, i - 40)] ?? spans[0];
    spans.push({
      id: 'f' + i.toString(16).padStart(15, '0'),
      parent: parent.id,
      name: `step ${i}`,
      service: 'big',
      at: parent.at + parent.for * next() * 0.3,
      for: parent.for * (0.3 + next() * 0.4),
    });
  }
  return makeTrace(bigId, baseNano + 3_603_000n * ms, spans);
}

/** Older traces that fill pages. */
export function fillerTraces(count, seed = 1) {
  const next = random(seed);
  const operations = [
    ['React Frontend', 'load users'],
    ['React Frontend', 'open cart'],
    ['Node.js API', 'GET /api/health'],
    ['worker', 'nightly report'],
    ['checkout', 'POST /checkout'],
  ];
  return Array.from({ length: count }, (_, i) => {
    const [service, name] = operations[Math.floor(next() * operations.length)];
    const length = 2 + next() ** 3 * 2400;
    const failed = next() < 0.15;
    return makeTrace(
      hexId(next, 32),
      baseNano + BigInt(3_500 - i * 7) * 1000n * ms,
      [{ id: hexId(next, 16), name, service, kind: 'SERVER', at: 0, for: length }].flatMap(
        (root) => [
          root,
          {
            id: hexId(next, 16),
            parent: root.id,
            name: 'db.Query',
            service: 'Go Microservice',
            kind: 'CLIENT',
            at: length * 0.2,
            for: length * 0.5,
            status: failed ? { code: 'ERROR', message: 'timeout' } : undefined,
          },
          ...(next() < 0.2
            ? [
                {
                  id: hexId(next, 16),
                  parent: hexId(next, 16),
                  name: 'late',
                  service: 'ledger',
                  at: length * 0.6,
                  for: length * 0.1,
                },
              ]
            : []),
        ],
      ),
    );
  });
}

/** What the doctor found: an error in the failed trace, and a hint about others. */
export function someFindings() {
  const shared = {
    message: 'checkout calls payments by a client that passes no trace on',
    cause: 'the standard library’s client was used',
    docs: '/docs/findings#raw-client',
    spanCount: 2,
    traceCount: 7,
    lastSeenUnixNano: String(baseNano + 3_601_000n * ms),
  };
  return [
    {
      ...shared,
      rule: 'raw-client',
      severity: 'error',
      confidence: 'certain',
      service: 'checkout',
      peer: 'payments',
      fix: 'Call it with tracekit.fetch.',
      language: 'nodejs',
      snippet:
        "const { fetch } = require('@tracekit/node');\nawait fetch('http://payments/charge');",
      spans: ['c000000000000002', 'c000000000000003'],
      other: { traceId: goldenId, spanId: '00f067aa0ba902b6', service: 'Go Microservice' },
      traces: [failedId, goldenId],
    },
    {
      ...shared,
      rule: 'async-after-response',
      severity: 'hint',
      confidence: 'possible',
      service: 'ledger',
      message: 'settle ends 50ms after the answer',
      fix: 'Await it if somebody needs it.',
      docs: '/docs/findings#async-after-response',
      spans: ['c000000000000003'],
      spanCount: 1,
      traces: [failedId],
      traceCount: 1,
    },
  ];
}

/** What is special about whatever was chosen. */
export function someDifferences(params) {
  const special = (scope, key, value, selectedCount, restCount) => ({
    scope,
    key,
    value,
    selectedCount,
    restCount,
    score: selectedCount / 20 - restCount / 80,
  });
  const q = params.get('q') ?? '';
  return {
    selected: { query: q.startsWith('{') ? q : `{ ${q} }`, spanCount: 20, cut: false },
    rest: { query: params.get('rest') || '{ }', spanCount: 80, cut: true },
    differences: q.includes('nothing')
      ? []
      : [
          special('span', 'tenant', 'acme "west"', 20, 4),
          special('span', 'cache.hit', null, 18, 8),
          special('intrinsic', 'status', 'error', 12, 2),
          special('resource', hostileNames.html, hostileNames.html, 10, 0),
        ],
  };
}
