/**
 * The document's Troubleshooting section, symptom by symptom: the shop with one fault, running, and what doctor (on its
 * sources), verify (on a request) and the findings (in the spans that came) say of it. A fault is an edit, and is repaired by
 * leaving it out: so one healthy shop, of which all three say nothing, stands for all that are repaired.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer, request } from 'node:http';
import path from 'node:path';
import { promisify } from 'node:util';
import { after, before, describe, test } from 'node:test';

import { freePort, listenOn } from '../../sdk/js/test/support/ports.mjs';
import { openBrowser } from './lib/browser.mjs';
import { clickOnPage, copyShop, openShop, removePrograms } from './lib/shop.mjs';
import { ROOT, TRACEKIT, moveToThePast, startServer, until } from './lib/stack.mjs';

const CLOCK_AHEAD = path.join(ROOT, 'test/e2e/services/clock-ahead.cjs');
const EXPRESS = 'app.use(TraceKit.Handlers.requestHandler());\napp.use(TraceKit.Handlers.tracingHandler());\n';
const LISTEN = "app.listen(3001, '127.0.0.1',";
const HEADERS = "['Content-Type', 'traceparent', 'tracestate']";

/**
 * What each of the three says of a fault: the rule, and words of where it is, what is wrong, and the cure. `click`: the page
 * takes part. Where a tool says nothing, or less, it cannot see the fault; why not stands beside it.
 */
const SYMPTOMS = [
  {
    name: 'traces do not connect: the API is none of the targets',
    edits: { 'web/main.js': [["['localhost:3001']", "['api.example.com']"]] },
    click: true,
    doctor: { 'targets-uncovered': /^web\/main\.js .* is no target .* add 'localhost:\d+'/ },
    verify: {}, // it asks the API itself: what a page does not send it cannot see
    findings: { 'not-a-target': /^web .*Add the host to tracePropagationTargets/ },
  },
  {
    name: 'traces do not connect: no targets are set',
    edits: { 'web/main.js': [["  tracePropagationTargets: ['localhost:3001'],\n", '']] },
    click: true,
    doctor: { 'targets-missing': /^web\/main\.js .*tracePropagationTargets: \['localhost:\d+'/ },
    verify: {}, // as above
    findings: { 'same-origin-default': /^web .*Set tracePropagationTargets/ },
  },
  {
    name: 'traces do not connect: a service is called by a raw client',
    edits: { 'api/server.js': [['await tracekit.fetch(', 'await fetch(']] },
    doctor: { 'raw-client': /^api\/server\.js .*use tracekit\.fetch/ },
    verify: { 'raw-client': /users began a trace of its own.*tracekit\.fetch/ },
    findings: { 'raw-client': /^api .*with the traced client/ },
  },
  {
    name: 'traces do not connect: a proxy drops the headers',
    proxy: true,
    doctor: {}, // a proxy is none of the sources
    verify: { 'not-extracted': /users began a trace of its own/, 'unanswered-call': /proxy between the two drops traceparent/ },
    findings: { 'header-stripped': /^api .*Let it pass `traceparent`/ },
  },
  {
    name: 'CORS errors: the headers are not allowed',
    edits: { 'api/server.js': [[HEADERS, "['Content-Type']"]] },
    click: true,
    doctor: { 'cors-headers': /^api\/server\.js .*add traceparent and tracestate/ },
    verify: { 'cors-headers': /does not name traceparent.*add 'traceparent' and 'tracestate'/ },
    findings: { 'cors-refused': /^api .*Allow both headers/ },
  },
  {
    name: "CORS errors: the page's origin is not allowed",
    edits: { 'api/server.js': [["origin: 'http://localhost:3000'", "origin: 'https://shop.example.com'"]] },
    click: true,
    doctor: {}, // where a page will be served from its sources do not say
    verify: { 'cors-origin': /https:\/\/shop\.example\.com.*allow this origin/ },
    findings: { 'cors-refused': /^api .*and the page's origin by name/ },
  },
  {
    name: 'CORS errors: every origin is allowed, with credentials',
    edits: { 'api/server.js': [["origin: 'http://localhost:3000'", "origin: '*'"]] },
    click: true,
    doctor: { 'cors-wildcard-credentials': /^api\/server\.js .*name the page's origin/ },
    verify: { 'cors-credentials': /name the origin instead of `\*`/ },
    findings: { 'cors-refused': /^api .*and the page's origin by name/ },
  },
  {
    name: 'frontend spans appear, backend spans do not: Express has no middleware',
    edits: { 'api/server.js': [[EXPRESS, '']] },
    click: true,
    doctor: { 'middleware-missing': /^api\/server\.js .*tracingHandler\(\)\), before the routes/ },
    verify: { 'not-extracted': /^ api began a trace of its own.*middleware before the routes[^\n]*\n$/ },
    findings: { 'not-extracted': /^api .*Register the middleware before the routes/ },
  },
  {
    name: 'frontend spans appear, backend spans do not: the middleware stands behind the routes',
    edits: { 'api/server.js': [[EXPRESS, ''], [LISTEN, EXPRESS + LISTEN]] },
    click: true,
    doctor: { 'middleware-after-routes': /^api\/server\.js .*in front of all routes/ },
    verify: { 'not-extracted': /^ api began a trace of its own.*middleware before the routes[^\n]*\n$/ },
    findings: { 'not-extracted': /^api .*Register the middleware before the routes/ },
  },
  {
    name: 'backend spans are missing: Gin has no middleware',
    edits: { 'users/main.go': [['\tr.Use(sdk.GinMiddleware())\n', '']] },
    doctor: { 'middleware-missing': /^users\/main\.go .*r\.Use\(sdk\.GinMiddleware\(\)\), before the routes/ },
    verify: { 'not-extracted': /^ users began a trace of its own/, 'unanswered-call': /register the SDK's middleware/ },
    findings: { 'not-extracted': /^users .*Register the middleware before the routes/ },
  },
  {
    name: 'backend spans are missing: Flask has no middleware',
    edits: { 'orders/app.py': [['init_flask_app(app)\n', '']] },
    doctor: { 'middleware-missing': /^orders\/app\.py .*init_flask_app\(app\), before the routes/ },
    verify: { 'missing-service': /orders sent no span/, 'unanswered-call': /register the SDK's middleware/ },
    findings: {}, // no span came from there, ever: to a service's call that looks like a database's or a stranger's HTTP
  },
  {
    name: 'backend spans are missing: the API has no key',
    env: { api: { TRACEKIT_API_KEY: '' } },
    click: true,
    doctor: {}, // a key is set where a service runs
    verify: { 'missing-service': /api sent no span.*TRACEKIT_API_KEY is of this project/ },
    findings: {}, // without a key the SDK passes headers on: all the rest is connected, as behind a proxy
  },
  {
    name: 'backend spans are missing: the key is refused',
    env: { api: { TRACEKIT_API_KEY: 'no-such-key' } },
    click: true,
    doctor: {}, // as above
    verify: { 'missing-service': /api sent no span.*TRACEKIT_API_KEY is of this project/, 'broken-parent': /its exporter/ },
    findings: { 'backend-silent': /`web` sent trace headers to localhost:\d+ .*set TRACEKIT_API_KEY/, 'broken-parent': /^users / },
  },
  {
    name: 'only one service in the waterfall: two have one name',
    edits: { 'api/server.js': [["serviceName: 'api'", "serviceName: 'users'"]] },
    doctor: { 'service-name-shared': /both called "users".*give each service a name of its own/ },
    verify: { 'shared-service-name': /both called `users`.*Give each service a name of its own/, 'missing-service': /^ api/ },
    findings: { 'shared-service-name': /^users .*Give each service a name of its own/ },
  },
  {
    name: "only one service in the waterfall: the key is another project's",
    otherProject: 'users',
    doctor: {}, // one key looks like another
    verify: { // with a key of one project nobody is told what is in another
      'missing-service': /users sent no span.*TRACEKIT_API_KEY is of this project/,
      'broken-parent': /does not send its spans here/, 'unanswered-call': /of api/,
    },
    findings: {
      'continues-in-other-project': /^users .*TRACEKIT_API_KEY of the same project/,
      'parent-in-other-project': /TRACEKIT_API_KEY of the same project/,
    },
  },
  {
    name: 'gaps: a clock is ahead',
    env: { api: { NODE_OPTIONS: `--dns-result-order=ipv4first --require ${CLOCK_AHEAD}` } },
    doctor: {}, // clocks are the machines'
    verify: { 'clock-skew': /`users` is at least .* behind that of `api`.*NTP/ },
    findings: { 'clock-skew': /^users .*NTP/ },
  },
  {
    name: 'gaps: work that nobody waits for',
    edits: { 'api/server.js': [["await tracekit.startSpan('record'", "tracekit.startSpan('record'"]] },
    doctor: {}, // not to wait is right where it is meant
    verify: { 'async-after-response': /answers before `record` is done.*wait for it/ },
    findings: { 'async-after-response': /^api .*wait for it/ },
  },
];
const HEALTHY = { click: true, doctor: {}, verify: {}, findings: {} };

let server, later, browser;
const ALL = [HEALTHY, ...SYMPTOMS];
const projectOf = (symptom) => `shop-${ALL.indexOf(symptom)}`;
const projectsOf = (symptom) => [projectOf(symptom), ...(symptom.otherProject ? [`${projectOf(symptom)}-other`] : [])];
const keys = new Map();
const keyOf = (where, project, kind) => keys.get(`${where.data} ${project} ${kind}`);

/** Projects and their keys. Made before the server starts: a running one would notice them a little later. */
async function prepare(data) {
  const tracekit = async (...args) => (await promisify(execFile)(TRACEKIT, [...args, '--data', data])).stdout.trim();
  for (const project of ALL.flatMap(projectsOf)) {
    await tracekit('project', 'create', project);
    for (const kind of ['server', 'read']) // to send with, and for verify
      keys.set(`${data} ${project} ${kind}`, await tracekit('key', 'create', '--project', project, '--kind', kind));
  }
}

before(async () => {
  [server, later, browser] = await Promise.all([startServer({ prepare }), startServer({ prepare }), openBrowser()]);
});
after(async () => {
  await Promise.all([browser?.close(), server?.close(), later?.close(), removePrograms()]);
});

/** `{rule: 'place message fix'}`; several of one rule are joined. */
function byRule(findings, place) {
  const found = {};
  for (const one of findings) found[one.rule] = `${found[one.rule] ?? ''}${place(one)} ${one.message} ${one.fix}\n`;
  return found;
}

/** Exactly the rules that are expected, each with its words. Clocks may be set meanwhile. */
function check(tool, found, expected) {
  const rules = Object.keys(found).filter((rule) => rule !== 'clock-skew' || expected[rule]);
  assert.deepEqual(rules.sort(), Object.keys(expected).sort(), `${tool}: ${JSON.stringify(found, null, 1)}`);
  for (const [rule, words] of Object.entries(expected)) assert.match(found[rule], words, `${tool}, ${rule}`);
}

async function json(args, env) {
  const done = await promisify(execFile)(TRACEKIT, [...args, '--json'], { env: { ...process.env, ...env } })
    .catch((error) => error);
  if (!done.stdout) throw done;
  return JSON.parse(done.stdout);
}

async function checkDoctor(symptom, shop) {
  const { findings } = await json(['doctor', shop.dir]);
  check('doctor', byRule(findings, ({ file }) => file), symptom.doctor);
}

/** Verify waits for what never comes, so it is not given long, but asked again until it says what it should. */
async function checkVerify(symptom, shop) {
  const args = ['verify', shop.api, '--services', 'api,users,orders', '--browser', shop.web,
    '--server', server.url, '--api-key', keyOf(server, projectOf(symptom), 'read')];
  await until('verify', async () => {
    const told = await json([...args, '--timeout', symptom === HEALTHY ? '60s' : '1s']);
    check('verify', byRule(told.findings, () => ''), symptom.verify);
    assert.equal(told.connected, told.findings.every(({ severity }) => severity !== 'error'));
    return true;
  });
}

/** In another server, where all of it is ten minutes old. */
async function checkFindings(symptom) {
  for (const project of projectsOf(symptom))
    await moveToThePast(server, later, { project, key: keyOf(later, project, 'server') });
  const { findings } = await later.get(`/api/v1/findings?limit=1000&project=${projectOf(symptom)}`);
  check('findings', byRule(findings, ({ service }) => service), symptom.findings);
}

/** A proxy that passes on the headers it knows. */
async function startProxy(listening, port) {
  const proxy = createServer((req, res) => {
    const { traceparent, tracestate, ...headers } = req.headers;
    request({ host: '127.0.0.1', port, path: req.url, headers }, (answer) => {
      res.writeHead(answer.statusCode, answer.headers);
      answer.pipe(res);
    }).on('error', () => res.destroy()).end();
  });
  await listenOn(proxy, listening);
  return {
    close: () => new Promise((resolve) => {
      proxy.closeAllConnections();
      proxy.close(resolve);
    }),
  };
}

/** It ends last of the page's spans. */
const CLICK = encodeURIComponent('{ resource.service.name = "web" && name = "click Load" }');

async function runSymptom(symptom) {
  const project = projectOf(symptom);
  const shop = await copyShop(symptom.edits);
  try {
    await checkDoctor(symptom, shop);
    const env = {};
    for (const name of ['web', 'api', 'users', 'orders']) {
      const key = keyOf(server, name === symptom.otherProject ? `${project}-other` : project, 'server');
      env[name] = { TRACEKIT_ENDPOINT: server.url, TRACEKIT_API_KEY: key, ...symptom.env?.[name] };
    }
    if (symptom.proxy) env.users.PORT = await freePort();
    const proxy = symptom.proxy && await startProxy(shop.ports.users, env.users.PORT);
    const open = await openShop(shop, env);
    try {
      if (symptom.click) {
        await clickOnPage(browser, shop, env.web, () => until("the page's spans", async () =>
          (await server.get(`/api/v1/traces?q=${CLICK}&project=${project}`)).traces.length > 0));
      }
      await checkVerify(symptom, shop);
    } finally {
      await open.close(); // and their last spans are sent
      await proxy?.close();
    }
    await checkFindings(symptom);
  } finally {
    await shop.remove();
  }
}

describe('the doctor, verify and the findings', { concurrency: 4 }, () => {
  test('say nothing of the healthy shop, and verify that it is connected', () => runSymptom(HEALTHY));
  for (const symptom of SYMPTOMS) test(symptom.name, () => runSymptom(symptom));
});
