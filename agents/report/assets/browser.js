"use strict";
// The trajectory browser. Data lies in <script type="text/plain"> blocks: base64 of raw deflate.
// Everything a model wrote goes into the page as text nodes; the page's policy forbids markup.
(() => {
const byId = (id) => document.getElementById(id);
const box = byId("browser");
if (!box) return;
const list = byId("list"), rowsBox = byId("rows"), view = byId("episode"), form = byId("filters");
const count = byId("count"), loading = byId("loading");
const LIMIT = 16e6; // browsers cut elements that are taller
const PLAIN = ["run", "seat", "round", "phase", "kind", "state"];

const data = { starts: [0], measures: new Map(), shared: new Map(), total: 0 };
for (const name of [...PLAIN, "id", "parent", "asked", "said"]) data[name] = [];
let chunks = [], hay = [];
let matched = [], at = -1, opened = -1, terms = [], height = 56, turn = 0;

function make(tag, text, kind) {
  const node = document.createElement(tag);
  if (text !== undefined && text !== null) node.textContent = String(text);
  if (kind) node.className = kind;
  return node;
}

async function inflate(block) {
  const letters = atob(block.textContent);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(stream).text();
}

const recent = new Map();
async function chunk(number) {
  if (!recent.has(number)) {
    recent.set(number, (await inflate(chunks[number])).split("\n"));
    if (recent.size > 4) recent.delete(recent.keys().next().value);
  }
  return recent.get(number);
}

function chunkOf(episode) {
  let low = 0, high = data.starts.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (data.starts[middle] <= episode) low = middle; else high = middle;
  }
  return low;
}

// ---- the index

function take(block) {
  const size = block.seat.length;
  for (const name of [...PLAIN, "id", "parent", "asked", "said"])
    for (const value of block[name]) data[name].push(value);
  for (const [name, values] of Object.entries(block.measures)) {
    if (!data.measures.has(name)) data.measures.set(name, []);
    const all = data.measures.get(name);
    values.forEach((value, i) => { if (value !== null) all[data.total + i] = value; });
  }
  for (const n of block.chunks) data.starts.push(data.starts[data.starts.length - 1] + n);
  data.total += size;
}

function fillFilters() {
  const names = (value) => data.shared.get(value)?.name ?? value;
  for (const column of PLAIN) {
    const select = form.elements[column];
    const found = [...new Set(data[column])].filter((v) => v !== null && v !== "");
    found.sort((a, b) => typeof a === "number" ? a - b : a < b ? -1 : 1);
    for (const value of found) {
      const option = make("option", column === "run" ? names(value) : value);
      option.value = value;
      select.append(option);
    }
    if (found.length < 2) select.parentNode.hidden = true;
  }
  for (const name of [...data.measures.keys()].sort()) {
    const option = make("option", name);
    option.value = name;
    form.elements.measure.append(option);
  }
}

// ---- finding

function parse(text) {
  const found = [];
  for (const part of text.matchAll(/id:(\S+)|"([^"]+)"|(\S+)/g)) {
    if (part[1]) found.push({ id: part[1] });
    else found.push({ text: (part[2] ?? part[3]).toLowerCase() });
  }
  return found;
}

function select() {
  const want = PLAIN.map((name) => [data[name], form.elements[name].value]).filter((w) => w[1]);
  const low = parseFloat(form.elements.low.value), high = parseFloat(form.elements.high.value);
  const measure = data.measures.get(form.elements.measure.value);
  const wanted = parse(form.elements.words.value);
  const deep = form.elements.where.value === "all";
  terms = wanted.filter((w) => w.text).map((w) => w.text);
  const ids = wanted.filter((w) => w.id).map((w) => w.id);
  const found = [];
  next: for (let i = 0; i < data.total; i++) {
    for (const [column, value] of want) if (String(column[i]) !== value) continue next;
    if (measure && (!isNaN(low) || !isNaN(high))) {
      const value = measure[i];
      if (value === undefined || value < low || value > high) continue;
    }
    for (const id of ids) if (data.id[i] !== id && data.parent[i] !== id) continue next;
    if (!deep) {
      const text = hay[i] ??= `${data.id[i]} ${data.asked[i]} ${data.said[i]}`.toLowerCase();
      for (const term of terms) if (!text.includes(term)) continue next;
    }
    found.push(i);
  }
  return found;
}

// Looks into every episode that the filters leave, chunk by chunk; a newer search ends it.
async function dig(among, mine) {
  const inside = terms.map((term) => JSON.stringify(term).slice(1, -1));
  const found = [];
  let shown = performance.now();
  for (let k = 0; k < among.length;) {
    const number = chunkOf(among[k]), first = data.starts[number], end = data.starts[number + 1];
    const lines = (await inflate(chunks[number])).toLowerCase().split("\n");
    if (mine !== turn) return null;
    for (; k < among.length && among[k] < end; k++) {
      const line = lines[among[k] - first];
      if (inside.every((term) => line.includes(term))) found.push(among[k]);
    }
    if (performance.now() - shown > 400) {
      shown = performance.now();
      count.textContent = `Reading … ${Math.round(100 * k / among.length)} %`;
      await new Promise((done) => setTimeout(done));
    }
  }
  return found;
}

function sorted(found) {
  const measure = data.measures.get(form.elements.measure.value), order = form.elements.order.value;
  if (!measure || !order) return found;
  const sign = order === "up" ? 1 : -1;
  const last = sign * Infinity; // those without the measure come last
  const key = (i) => measure[i] ?? last;
  return found.sort((a, b) => sign * (key(a) - key(b)) || a - b);
}

async function find() {
  const mine = ++turn;
  let found = select();
  if (form.elements.where.value === "all" && terms.length) found = await dig(found, mine);
  if (mine !== turn || found === null) return;
  matched = sorted(found);
  at = matched.length ? 0 : -1;
  list.scrollTop = 0;
  count.textContent = `${matched.length.toLocaleString("en")} of ` +
    `${data.total.toLocaleString("en")} episodes`;
  draw();
}

// ---- the list: only what is in sight is in the document

function draw() {
  height = parseFloat(getComputedStyle(document.documentElement).fontSize) * 3.5;
  rowsBox.style.height = `${Math.min(matched.length * height, LIMIT)}px`;
  const tall = matched.length * height - list.clientHeight;
  const real = rowsBox.clientHeight - list.clientHeight;
  const scale = tall > real && real > 0 ? tall / real : 1;
  const offset = list.scrollTop * scale - list.scrollTop;
  const first = Math.max(0, Math.floor((list.scrollTop + offset) / height) - 4);
  const last = Math.min(matched.length, first + Math.ceil(list.clientHeight / height) + 9);
  const nodes = [];
  for (let place = first; place < last; place++) nodes.push(line(place, offset));
  rowsBox.replaceChildren(...nodes);
  if (at >= first && at < last) list.setAttribute("aria-activedescendant", `row${at}`);
  else list.removeAttribute("aria-activedescendant");
}

function line(place, offset) {
  const i = matched[place], row = make("div", null, place === at ? "row at" : "row");
  row.id = `row${place}`;
  row.dataset.place = place;
  row.setAttribute("role", "option");
  row.setAttribute("aria-setsize", matched.length);
  row.setAttribute("aria-posinset", place + 1);
  row.setAttribute("aria-selected", i === opened);
  row.style.top = `${place * height - offset}px`;
  row.append(make("div", data.asked[i]), make("div", about(i), "low"));
  return row;
}

function about(i) {
  const parts = [data.seat[i]];
  if (data.round[i] !== null) parts.push(`round ${data.round[i]}`);
  if (data.kind[i]) parts.push(data.seat[i] === "grm" ? `label ${data.kind[i]}` : data.kind[i]);
  for (const name of ["reward", "em", "judged", form.elements.measure.value]) {
    const value = data.measures.get(name)?.[i];
    const told = `${name} ${Math.round(value * 1000) / 1000}`;
    if (value !== undefined && !parts.includes(told)) parts.push(told);
  }
  if (data.state[i] !== "answered") parts.push(data.state[i]);
  return `${parts.join(" · ")}${data.said[i] ? ` · ${data.said[i]}` : ""}`;
}

function move(place) {
  if (!matched.length) return;
  at = Math.max(0, Math.min(matched.length - 1, place));
  const tall = matched.length * height - list.clientHeight;
  const real = rowsBox.clientHeight - list.clientHeight;
  const scale = tall > real && real > 0 ? tall / real : 1;
  const top = list.scrollTop * scale;
  if (at * height < top) list.scrollTop = at * height / scale;
  else if ((at + 1) * height > top + list.clientHeight)
    list.scrollTop = ((at + 1) * height - list.clientHeight) / scale;
  draw();
}

// ---- one episode

const TAG = "</?[A-Za-z_][\\w-]*>";
const safe = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

// Text with tags dimmed, passage titles bold and search terms marked.
function rich(said, titles) {
  const text = String(said ?? "");
  const node = make("pre"), marks = terms.map(safe).join("|");
  const bold = [...new Set(titles ?? [])].filter(Boolean).sort((a, b) => b.length - a.length);
  const kinds = [`(${TAG})`, `("?(?:${bold.map(safe).join("|") || "(?!)"})"?(?=\\)|\\n))`,
    `(${marks || "(?!)"})`];
  let from = 0;
  for (const hit of text.matchAll(new RegExp(kinds.join("|"), "gi"))) {
    if (!hit[0]) continue;
    node.append(text.slice(from, hit.index));
    node.append(hit[1] ? make("span", hit[0], "tag") : make(hit[2] ? "b" : "mark", hit[0]));
    from = hit.index + hit[0].length;
  }
  node.append(text.slice(from));
  return node;
}

function facts(pairs) {
  const node = make("dl");
  for (const [name, value] of pairs)
    if (value !== null && value !== undefined && value !== "")
      node.append(make("dt", name), make("dd", value));
  return node.childNodes.length ? node : "";
}

function grid(caption, columns, lines) {
  const node = make("table", null, "left"), top = make("tr"), body = make("tbody");
  node.append(make("caption", caption, "soft"));
  for (const name of columns) {
    const cell = make("th", name);
    cell.scope = "col";
    top.append(cell);
  }
  for (const cells of lines) {
    const row = make("tr");
    row.append(...cells.map((cell) => make("td", cell)));
    body.append(row);
  }
  const wide = make("div", null, "wide"), above = make("thead");
  above.append(top);
  node.append(above, body);
  wide.append(node);
  return wide;
}

function chat(messages, prompts, seat) {
  const nodes = [];
  let number = 0;
  for (const message of messages) {
    if (message.role === "system") {
      const fold = make("details");
      fold.append(make("summary", "System message"), rich(message.text ?? prompts[message.prompt]));
      nodes.push(fold);
      continue;
    }
    const node = make("div", null, "turn");
    if (["user", "assistant", "tool"].includes(message.role)) node.classList.add(message.role);
    let head = message.role;
    if (message.role === "assistant") head = `Turn ${++number}: ${seat} ${message.does}`;
    else if (message.does) head = message.does;
    if (message.tokens !== undefined) head += ` (${message.tokens} tokens)`;
    node.append(make("div", head, "soft"), rich(message.text, message.titles));
    nodes.push(node);
  }
  return nodes;
}

function flat(value) {
  if (typeof value === "number") return Math.round(value * 1e4) / 1e4;
  return value !== null && typeof value === "object" ? JSON.stringify(value) : value;
}

// Reward parts, and what the reward model found on its way: lists of objects become tables.
function earned(reward) {
  if (!reward) return [];
  const nodes = [grid("Reward", ["part", "value"],
    [["total", reward.total], ...Object.entries(reward.parts)].map((one) => one.map(flat)))];
  if (reward.invalid) nodes.push(make("p", `Left out: ${reward.invalid}`));
  for (const [name, value] of Object.entries(reward.extras ?? {})) {
    if (Array.isArray(value) && value.length && value.every((v) => v && typeof v === "object")) {
      const columns = Object.keys(value[0]);
      nodes.push(grid(name, columns, value.map((v) => columns.map((c) => flat(v[c])))));
    } else if (name !== "question" && name !== "answer" && value !== null)
      nodes.push(facts([[name, flat(value)]]));
  }
  return nodes;
}

function kin(i, given) {
  const tasks = data.shared.get(data.run[i])?.tasks;
  const own = tasks?.get(given.id), parent = own ? own.parent : given.provenance?.parent;
  if (!tasks || (!own && !parent)) return [];
  const before = [], seen = new Set();
  for (let id = parent; tasks.has(id) && !seen.has(id); id = tasks.get(id).parent) {
    seen.add(id);
    before.unshift(tasks.get(id));
  }
  const after = own?.children ?? [];
  if (!before.length && !after.length) return [];
  const tree = make("ul", null, "tree");
  const add = (task, where) => {
    const item = make("li"), link = make("button", task.question, "link");
    link.type = "button";
    link.onclick = () => { form.elements.words.value = `id:${task.id}`; find(); list.focus(); };
    item.append(make("span", `${where}, round ${task.round}, ${task.kind}: `, "soft"), link,
      ` → ${task.answer}`);
    tree.append(item);
  };
  for (const task of before) add(task, "ancestor");
  if (own) add(own, "this question");
  for (const task of after) add(task, "child");
  return [make("h3", "Lineage"), tree];
}

function step(place, text) {
  const button = make("button", text);
  button.type = "button";
  button.disabled = place < 0 || place >= matched.length;
  button.onclick = async () => { move(place); await open(matched[place]); view.focus(); };
  return button;
}

async function open(i) {
  opened = i;
  draw();
  const number = chunkOf(i), lines = await chunk(number);
  if (opened !== i) return; // another one was opened meanwhile
  const all = JSON.parse(lines[i - data.starts[number]]);
  const shared = data.shared.get(data.run[i]), given = all.assignment, place = matched.indexOf(i);
  const bar = make("div", null, "bar"), name = make("h3", data.asked[i]), rest = make("details");
  bar.append(make("span", `Episode ${i + 1}`, "soft"), step(place - 1, "Previous"),
    step(place < 0 ? -1 : place + 1, "Next"));
  const told = facts([
    ["seat", all.role], ["run", data.shared.size > 1 ? shared.name : null],
    ["round", data.round[i]], ["phase", data.phase[i]], ["assignment", given.id],
    ["topic", given.topic], ["kind", data.kind[i]], ["asked to vary", given.source_question],
    ["claimed answer", given.answer], ["accepted", given.answers?.join(" | ")],
    ["answer", all.answer ?? "none"], ["searches", all.tool_calls],
    ["ended", data.state[i]], ["why invalid", all.invalid],
  ]);
  rest.append(make("summary", "Everything else in the record"),
    make("pre", JSON.stringify({ ...all, chat: undefined, judgement: undefined }, null, 1), "record"));
  const scores = Object.entries(all.scores ?? {});
  view.replaceChildren(bar, name, told,
    ...(scores.length ? [grid("Scores", ["metric", "value"], scores.map((one) => one.map(flat)))] : []),
    ...earned(all.reward), make("h3", "What happened"), ...chat(all.chat, shared.prompts, all.role),
    ...(all.judgement ? [make("h3", "The judge"),
      ...chat(all.judgement.chat, shared.prompts, "judge")] : []),
    ...kin(i, given), rest);
  view.setAttribute("aria-label", `Episode ${i + 1}: ${data.asked[i]}`);
  view.scrollTop = 0;
  history.replaceState(null, "", `#episode-${i + 1}`);
}

// ---- hands and keys

function listen() {
  let wait = 0;
  form.addEventListener("input", (event) => {
    clearTimeout(wait);
    wait = setTimeout(find, event.target.type === "search" ? 150 : 0);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(find));
  let drawn = 0;
  list.addEventListener("scroll", () => {
    if (!drawn) drawn = requestAnimationFrame(() => { drawn = 0; draw(); });
  });
  list.addEventListener("click", (event) => {
    const row = event.target.closest(".row");
    if (row) { move(Number(row.dataset.place)); open(matched[at]); }
  });
  list.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(list.clientHeight / height) - 1);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page,
      Home: 0, End: matched.length - 1 }[event.key];
    if (to !== undefined) move(to);
    else if ((event.key === "Enter" || event.key === " ") && at >= 0)
      open(matched[at]).then(() => view.focus());
    else return;
    event.preventDefault();
  });
  view.addEventListener("keydown", (event) => { if (event.key === "Escape") list.focus(); });
  new ResizeObserver(draw).observe(list);
}

function family(lineage) {
  const tasks = new Map();
  for (const [id, parent, round, kind, question, answer] of lineage)
    tasks.set(id, { id, parent, round, kind, question, answer, children: [] });
  for (const task of tasks.values()) tasks.get(task.parent)?.children.push(task);
  return tasks;
}

async function start() {
  loading.hidden = false;
  for (const block of document.querySelectorAll("script.index"))
    take(JSON.parse(await inflate(block)));
  for (const block of document.querySelectorAll("script.shared")) {
    const one = JSON.parse(await inflate(block));
    data.shared.set(one.run, { ...one, tasks: family(one.lineage) });
  }
  chunks = document.querySelectorAll("script.chunk");
  hay = new Array(data.total);
  fillFilters();
  box.hidden = false;
  byId("samples").hidden = loading.hidden = true;
  listen();
  await find();
  const asked = /^#episode-(\d+)$/.exec(location.hash);
  if (asked && asked[1] >= 1 && asked[1] <= data.total) {
    await open(asked[1] - 1);
    view.scrollIntoView();
  }
}

start().catch((error) => {
  loading.hidden = false;
  loading.textContent = `The browser of episodes cannot start here (${error}); below are some of them.`;
});
})();
