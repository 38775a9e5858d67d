// What many would write: mqtt.js into better-sqlite3, 1,000 messages a transaction, or what came within 20 ms.
// node rival.js FOLDER-WITH-NODE_MODULES PORT USER PASSWORD COUNT FILE; ends when COUNT messages are committed.
const path = require("path");
const [folder, port, username, password, count, file] = process.argv.slice(2);
const mqtt = require(path.join(folder, "node_modules", "mqtt"));
const Database = require(path.join(folder, "node_modules", "better-sqlite3"));

const db = new Database(file);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.exec("CREATE TABLE messages (id INTEGER PRIMARY KEY, topic TEXT, received_at TEXT, payload TEXT)");
const insert = db.prepare("INSERT INTO messages (topic, received_at, payload) VALUES (?, ?, ?)");
const commit = db.transaction((rows) => rows.forEach((row) => insert.run(...row)));

let waiting = [];
let committed = 0;
let timer = null;
function flush() {
  clearTimeout(timer);
  timer = null;
  commit(waiting);
  committed += waiting.length;
  waiting = [];
  if (committed >= Number(count)) process.exit(0);
}

const client = mqtt.connect({ host: "127.0.0.1", port: Number(port), username, password, protocolVersion: 4 });
client.on("connect", () => client.subscribe("kernel/v1/pattern_share/#", { qos: 1 }));
client.on("message", (topic, payload) => {
  waiting.push([topic, new Date().toISOString(), payload.toString()]);
  if (waiting.length >= 1000) flush();
  else if (timer === null) timer = setTimeout(flush, 20);
});
