// Complete user tasks with bpmn-engine, and keep its state in a database after each.
//
//     node bpmn_engine_turns.mjs '{"kind": "sqlite", "path": …, "diagrams": {<flow>: <file>}, "variables": {}}'
//
// bpmn-engine stores nothing itself: its state is serialised to JSON and written to one row. A turn is asked for in one of two ways:
// "recovered", where each completion reads the row, recovers and resumes an engine (any process could do it), or "kept", where
// the engine of an instance stays in this process's memory from its start to its end and the row is only written.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { Engine } from 'bpmn-engine';

const given = JSON.parse(process.argv[2]);
const sources = Object.fromEntries(Object.entries(given.diagrams).map(([flow, file]) => [flow, readFileSync(file, 'utf8')]));
const store = given.kind === 'sqlite' ? await sqliteStore() : await postgresStore();

async function sqliteStore() {
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(given.path);
  database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL');
  database.exec('CREATE TABLE instance (id INTEGER PRIMARY KEY, state TEXT NOT NULL)');
  const insert = database.prepare('INSERT INTO instance (state) VALUES (?)');
  const select = database.prepare('SELECT state FROM instance WHERE id = ?');
  const update = database.prepare('UPDATE instance SET state = ? WHERE id = ?');
  const { journal_mode } = database.prepare('PRAGMA journal_mode').get();
  const { synchronous } = database.prepare('PRAGMA synchronous').get();
  return {
    durability: { journal_mode: String(journal_mode), synchronous: String(synchronous) },
    add: async (state) => insert.run(state).lastInsertRowid,
    begin: async () => database.exec('BEGIN IMMEDIATE'),
    read: async (id) => select.get(id).state,
    write: async (id, state) => update.run(state, id),
    commit: async () => database.exec('COMMIT'),
  };
}

async function postgresStore() {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ host: given.host, port: given.port, user: given.user, database: given.name });
  await client.connect();
  await client.query('CREATE TABLE instance (id SERIAL PRIMARY KEY, state TEXT NOT NULL)');
  const setting = async (name) => (await client.query(`SHOW ${name}`)).rows[0][name];
  const first = async (text, values) => (await client.query({ name: text, text, values })).rows[0];
  return {
    durability: { fsync: await setting('fsync'), synchronous_commit: await setting('synchronous_commit') },
    add: async (state) => (await first('INSERT INTO instance (state) VALUES ($1) RETURNING id', [state])).id,
    begin: () => client.query('BEGIN'),
    read: async (id) => (await first('SELECT state FROM instance WHERE id = $1 FOR UPDATE', [id])).state,
    write: (id, state) => first('UPDATE instance SET state = $1 WHERE id = $2', [state, id]),
    commit: () => client.query('COMMIT'),
  };
}

function signalOne(execution) {
  const task = execution.getPostponed().find((api) => api.type === 'bpmn:UserTask');
  const [one] = task.getExecuting(); // one of several instances of the same task
  (one ?? task).signal({ note: 'done' });
}

async function completeRecovered(id) {
  await store.begin();
  const engine = new Engine().recover(JSON.parse(await store.read(id)));
  const execution = await engine.resume();
  signalOne(execution);
  await store.write(id, JSON.stringify(await engine.getState()));
  await store.commit();
  return engine;
}

async function completeKept(id, engine) {
  await store.begin();
  signalOne(engine.execution);
  await store.write(id, JSON.stringify(await engine.getState()));
  await store.commit();
  return engine;
}

async function turn({ flow, way }) {
  let engine = new Engine({ name: flow, source: sources[flow] });
  await engine.execute({ variables: structuredClone(given.variables) });
  const id = await store.add(JSON.stringify(await engine.getState()));
  if (way === 'recovered') engine.stop();
  const spent = [];
  let running = true;
  while (running) {
    const clock = performance.now();
    const processor = process.cpuUsage();
    engine = way === 'recovered' ? await completeRecovered(id) : await completeKept(id, engine);
    const { user, system } = process.cpuUsage(processor);
    spent.push([performance.now() - clock, (user + system) / 1000]);
    running = engine.execution.isRunning;
    if (running && way === 'recovered') engine.stop(); // or its timers would live on
  }
  return spent;
}

const say = (report) => process.stdout.write(`${JSON.stringify(report)}\n`);
const { version } = JSON.parse(readFileSync(new URL('node_modules/bpmn-engine/package.json', import.meta.url)));
say({ versions: { 'bpmn-engine': version, Node: process.versions.node }, durability: store.durability });
for await (const line of createInterface({ input: process.stdin })) say({ spent: await turn(JSON.parse(line)) });
process.exit(0);
