/**
 * Databases, wrapped when they are asked to be: a client span for each query, below the span that
 * is current. Whatever the driver gives, takes and throws stays as it is.
 */

import type { NodeSpan } from './span.js';
import { getClient, storage } from './client.js';
import { errorType } from './fetch.js';
import { sanitizeSql, summarizeSql } from './sql.js';

type Method = (this: unknown, ...args: unknown[]) => unknown;
type Methods = Record<string, Method>;

const SYSTEMS: Record<string, string> = {
  sqlite3: 'sqlite',
  'better-sqlite3': 'sqlite',
  postgres: 'postgresql',
  pg: 'postgresql',
  pgx: 'postgresql',
  psycopg: 'postgresql',
  mysql2: 'mysql',
  mssql: 'microsoft.sql_server',
  mongo: 'mongodb',
  ioredis: 'redis',
};

/** The well-known value of `db.system.name`. */
export const systemName = (system: string): string => SYSTEMS[system] ?? system;

const WRAPPED = Symbol.for('tracekit.wrapped');

function startSpan(system: string, name: string): NodeSpan {
  return getClient().tracer.start(name || system, { kind: 'CLIENT' }).setTag('db.system.name', system);
}

function startQuery(system: string, query: unknown, hasParameters: boolean): NodeSpan {
  const text = typeof query === 'string' ? query : '';
  const escapes = system === 'mysql' || system === 'mariadb';
  const sanitized = sanitizeSql(text, escapes);
  const summary = summarizeSql(sanitized);
  const span = startSpan(system, summary);
  if (!text) return span;
  return span
    .setTag('db.query.text', hasParameters ? text : sanitized)
    .setTag('db.query.summary', summary);
}

function fail(span: NodeSpan, error: unknown): void {
  span.captureException(error).setTag('error.type', errorType(error)).end();
}

/** Calls the driver and ends the span with it: when it returns, calls back or fulfils. */
function finish(span: NodeSpan, self: unknown, method: Method, args: unknown[]): unknown {
  const callback = args.at(-1);
  const calls = typeof callback === 'function';
  if (calls) {
    // A connection of a pool calls back as whoever opened it, maybe in another request.
    const caller = storage.getStore()!;
    args[args.length - 1] = function (this: unknown, error: unknown, ...rest: unknown[]) {
      if (error) fail(span, error);
      else span.end();
      return storage.run(caller, () => (callback as Method).call(this, error, ...rest));
    };
  }
  let result: unknown;
  try {
    result = method.apply(self, args);
  } catch (error) {
    fail(span, error);
    throw error;
  }
  if (calls) return result;
  // mysql2's query without a callback tells by events; it has a `then`, too, which throws.
  if (typeof (result as Methods | undefined)?.once === 'function') {
    (result as NodeJS.EventEmitter).once('end', (error?: unknown) => {
      if (error) fail(span, error);
      else span.end();
    });
  } else if (result instanceof Promise) {
    // What is given back is what the caller handles, or forgets to: one that fails unseen is seen.
    return result.then(
      (value: unknown) => {
        span.end();
        return value;
      },
      (error: unknown) => {
        fail(span, error);
        throw error;
      },
    );
  } else {
    span.end();
  }
  return result;
}

function replace(target: Methods, name: string, make: (original: Method) => Method): void {
  const original = target[name];
  if (typeof original !== 'function') return;
  Object.defineProperty(target, name, { value: make(original), configurable: true, writable: true });
}

/** pg, mysql2 and their likes: `query(text or {text, sql, values}, values?, callback?)`. */
function wrapQueries(db: Methods, system: string): void {
  for (const name of ['query', 'execute']) {
    replace(db, name, (original) => {
      return function (this: unknown, ...args) {
        const first = args[0] as { text?: unknown; sql?: unknown; values?: unknown } | undefined;
        const text = typeof first === 'string' ? first : (first?.text ?? first?.sql);
        // What is no query is the driver's to refuse; pg's own cursors answer by themselves.
        if (typeof text !== 'string' || typeof (first as { submit?: unknown }).submit === 'function') {
          return original.apply(this, args);
        }
        const hasParameters = Array.isArray(args[1]) || first?.values !== undefined;
        return finish(startQuery(system, text, hasParameters), this, original, args);
      };
    });
  }
}

/** better-sqlite3: statements answer at once. */
function wrapStatements(db: Methods, system: string): void {
  replace(db, 'exec', (original) => {
    return function (this: unknown, ...args) {
      return finish(startQuery(system, args[0], false), this, original, args);
    };
  });
  replace(db, 'prepare', (original) => {
    return function (this: unknown, ...args) {
      const statement = original.apply(this, args) as Methods;
      for (const name of ['run', 'get', 'all']) {
        replace(statement, name, (run) => {
          return function (this: unknown, ...values) {
            return finish(startQuery(system, args[0], values.length > 0), this, run, values);
          };
        });
      }
      return statement;
    };
  });
}

interface RedisCommand {
  name: unknown;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** ioredis: the name of the command, never its arguments. */
function wrapCommands(db: Methods, system: string): void {
  const sent = new WeakSet<object>();
  replace(db, 'sendCommand', (original) => {
    return function (this: unknown, ...args) {
      const command = args[0] as RedisCommand;
      // What had to wait for the connection is sent a second time.
      if (typeof command?.resolve === 'function' && !sent.has(command)) {
        sent.add(command);
        followCommand(command, system);
      }
      return original.apply(this, args);
    };
  });
}

/** Not by the promise: a pipeline and a callback handle that one, and nobody one made of it. */
function followCommand(command: RedisCommand, system: string): void {
  const { name, resolve, reject } = command;
  const operation = String(name).toUpperCase();
  const span = startSpan(system, operation).setTag('db.operation.name', operation);
  command.resolve = (value) => {
    span.end();
    resolve(value);
  };
  command.reject = (error) => {
    fail(span, error);
    reject(error);
  };
}

interface Command {
  requestId: number;
  commandName: string;
  databaseName: string;
  command: Record<string, unknown>;
  failure: unknown;
}

/** A MongoClient made with `monitorCommands: true` tells what it does. */
function watchCommands(db: NodeJS.EventEmitter, system: string): void {
  const spans = new Map<number, NodeSpan>();
  const ended = ({ requestId, failure }: Command): void => {
    const span = spans.get(requestId);
    if (!span) return; // under way before anybody watched
    spans.delete(requestId);
    if (failure) fail(span, failure);
    else span.end();
  };
  db.on('commandStarted', ({ requestId, commandName, databaseName, command }: Command) => {
    const collection = command[commandName];
    const named = typeof collection === 'string' ? `${commandName} ${collection}` : commandName;
    const span = startSpan(system, named).setTag('db.operation.name', commandName);
    span.setTag('db.namespace', databaseName);
    if (typeof collection === 'string') span.setTag('db.collection.name', collection);
    spans.set(requestId, span);
  });
  db.on('commandSucceeded', ended);
  db.on('commandFailed', ended);
}

function guess(db: Methods): string | undefined {
  if (typeof db.sendCommand === 'function') return 'redis';
  if (typeof db.prepare === 'function' && typeof db.pragma === 'function') return 'sqlite';
  if (typeof db.db === 'function' && typeof db.startSession === 'function') return 'mongodb';
  return typeof db.execute === 'function' ? 'mysql' : 'postgresql';
}

/**
 * Traces the queries of a client, pool or connection of pg, mysql2, better-sqlite3, ioredis or
 * mongodb (with `monitorCommands: true`), and gives it back. `system` is what the database is
 * called when its driver is another one.
 */
export function wrapDB<T extends object>(db: T, system?: string): T {
  const methods = db as unknown as Methods & { [WRAPPED]?: boolean };
  if (methods[WRAPPED]) return db;
  Object.defineProperty(methods, WRAPPED, { value: true });
  const name = systemName(system ?? guess(methods)!);
  if (name === 'redis') wrapCommands(methods, name);
  else if (name === 'mongodb') watchCommands(db as unknown as NodeJS.EventEmitter, name);
  else if (typeof methods.prepare === 'function' && name === 'sqlite') wrapStatements(methods, name);
  else wrapQueries(methods, name);
  return db;
}
