"use strict";
// Draws a run: one that goes on (server-sent events), or a recorded one. All text goes in as text, never as markup;
// the network's drawing alone is markup, and it is escaped where it is made (testbed/demo/network_drawing.py).
const $ = (id) => document.getElementById(id);
const isLive = document.documentElement.dataset.mode === "live";
const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
let W = 600; // of a chart, as wide as its place
const H = 250, LEFT = 52, BOTTOM = 26, RIGHT = 8, ROW = 20;

let run, time = 0, follows = true, phase = "", isHidden = false, arrived = 0, drawn = -Infinity;

function reset() {
  run = { head: null, bytes: new Map(), life: new Map(), flows: new Map(), segments: [], drops: [], events: [], end: 0, outcome: null };
  time = 0; follows = true;
  $("truth").hidden = $("bucket").hidden = true;
  for (const id of ["net", "rates", "segments", "rows", "log", "votes"]) $(id).replaceChildren();
  delete $("log").dataset.told;
}

function take(message) {
  if (message.kind === "reset") reset();
  else if (message.kind === "hello") welcome(message);
  else if (message.kind === "head") { run.head = message; showHead(); }
  else if (message.kind === "records") { message.r.forEach(add); arrived = performance.now(); }
  else if (message.kind === "outcome") { run.outcome = message; showOutcome(); }
  else if (message.kind === "state") showState(message);
}

function add(record) {
  const [kind, t] = record;
  run.end = Math.max(run.end, t);
  if (kind === "b") series(run.bytes, record[2]).push([t, record[3]]);
  else if (kind === "t") {
    const [, , transfer, event, flow, error] = record;
    if (!run.life.has(transfer)) run.life.set(transfer, {});
    Object.assign(run.life.get(transfer), { [event]: t, error });
    if (flow) run.flows.set(flow, transfer);
  } else if (kind === "e") run.events.push({ t, box: record[2], flow: record[3], event: record[4], text: record[5], meter: record[6] });
  else if (kind === "x") run.drops.push({ t, box: record[2], flow: record[3], at: record[4] });
  else if (kind === "p") run.segments.push({ t, flow: record[2], at: record[3], length: record[4] });
}

function series(map, key) {
  if (!map.has(key)) map.set(key, []);
  return map.get(key);
}

// --- reckoning ---------------------------------------------------------------------------------------------------
function totalAt(points, t) {
  let low = 0, high = points.length;
  while (low < high) { const middle = (low + high) >> 1; if (points[middle][0] <= t) low = middle + 1; else high = middle; }
  return low ? points[low - 1][1] : 0;
}

function rateAt(transfer, t) { // kbit/s over the last second
  const points = run.bytes.get(transfer) || [];
  return (totalAt(points, t) - totalAt(points, t - 1)) * 8 / 1000;
}

function spanOf(transfer) {
  const life = run.life.get(transfer.id) || {};
  return [life.started ?? Infinity, Math.min(life.finished ?? Infinity, time)];
}

function bucketAt(t) { // of the flow throttled last: full at first, refilled at its rate, emptied by what passed
  const started = run.events.filter((each) => each.meter && each.t <= t && each.event === "throttling_started").pop();
  if (!started) return null;
  const [rate, depth] = started.meter;
  let level = depth, last = started.t;
  for (const each of run.segments) {
    if (each.flow !== started.flow || each.t < started.t || each.t > t) continue;
    level = Math.max(0, Math.min(depth, level + (each.t - last) * rate / 8) - each.length - 52); // 52: IP and TCP headers
    last = each.t;
  }
  return [Math.min(depth, level + Math.max(0, t - last) * rate / 8), depth, rate];
}

// --- drawing -----------------------------------------------------------------------------------------------------
function svg(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function nice(most) {
  const power = 10 ** Math.floor(Math.log10(most || 1));
  return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((each) => each * power).find((each) => each >= most);
}

function axes(title, right, top, from, rows) { // the legend's rows stand above the plot, on nothing
  const TOP = 8 + ROW * rows;
  const root = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img" });
  root.append(svg("title", {}, title));
  const x = (t) => LEFT + (W - LEFT - RIGHT) * (t - from) / (right - from), y = (v) => H - BOTTOM - (H - BOTTOM - TOP) * v / top;
  for (let step = 0; step <= 4; step++) {
    const v = top * step / 4, t = from + (right - from) * step / 4;
    root.append(svg("path", { class: "grid", d: `M${LEFT} ${y(v)}H${W - RIGHT}` }));
    root.append(svg("text", { x: LEFT - 6, y: y(v) + 5, "text-anchor": "end" }, +v.toPrecision(3)));
    root.append(svg("text", { x: x(t), y: H - 6, "text-anchor": step === 4 ? "end" : "middle" }, +t.toPrecision(3) + (step === 4 ? " s" : "")));
  }
  root.append(svg("path", { class: "axis", d: `M${LEFT} ${TOP}V${H - BOTTOM}H${W - RIGHT}` }));
  return { root, x, y };
}

function drawRates() {
  const shown = run.head.transfers.filter((each) => run.life.has(each.id) && spanOf(each)[0] <= time);
  const from = Math.max(0, Math.ceil(time / 10) * 10 - 60); // of a long run, the last minute
  const curves = shown.filter((each) => spanOf(each)[1] >= from).slice(-6).map((transfer) => {
    const [start, end] = spanOf(transfer), points = [];
    for (let t = Math.max(start, from); t < end; t += 0.25) points.push([t, rateAt(transfer.id, t)]);
    return { transfer, points };
  });
  const most = Math.max(100, ...curves.flatMap((each) => each.points.map((point) => point[1])));
  const { root, x, y } = axes("Goodput over time: " + spoken(), Math.max(from + 20, Math.ceil(time / 10) * 10), nice(most), from, curves.length);
  const seen = {};
  curves.forEach(({ transfer, points }, row) => {
    const nth = seen[transfer.role] = (seen[transfer.role] ?? -1) + 1;
    const look = `curve role-${transfer.role} nth-${nth % 3}`;
    if (points.length) root.append(svg("path", { class: look, d: "M" + points.map(([t, v]) => `${x(t).toFixed(1)} ${y(v).toFixed(1)}`).join("L") }));
    root.append(svg("path", { class: look, d: `M${LEFT} ${10 + ROW * row}h40` }));
    root.append(svg("text", { x: LEFT + 48, y: 15 + ROW * row }, `${transfer.name}, ${transfer.line}`.slice(0, 34)));
  });
  $("rates").replaceChildren(root);
}

function drawSegments() {
  const target = run.head.transfers.find((each) => each.role === "target") || run.head.transfers[0];
  const ours = (each) => each.t <= time && run.flows.get(each.flow) === (target || {}).id;
  const passed = run.segments.filter(ours), dropped = run.drops.filter((each) => ours(each) && each.at !== null);
  const bytes = passed.length ? [] : (run.bytes.get((target || {}).id) || []).filter(([t]) => t <= time);
  const start = (run.life.get((target || {}).id) || {}).started ?? 0;
  const last = Math.max(0, ...passed.map((each) => each.t), ...bytes.map(([t]) => t)) - start;
  const most = Math.max(20000, ...passed.map((each) => each.at), ...dropped.map((each) => each.at), ...bytes.map((each) => each[1]));
  const { root, x, y } = axes(`Segments of ${target ? target.name : "the target"}: ${passed.length} passed, ${dropped.length} dropped`,
    Math.max(10, Math.ceil(last / 5) * 5), nice(most / 1000), 0, 2);
  const at = (each) => `M${x(each.t - start).toFixed(1)} ${y(each.at / 1000).toFixed(1)}`;
  root.append(svg("path", { class: "passed", d: passed.map((each) => at(each) + "h3").join("") + bytes.map(([t, n]) => at({ t, at: n }) + "h3").join("") }));
  root.append(svg("path", { class: "dropped", d: dropped.map((each) => at(each) + "m-4 -4l8 8m0 -8l-8 8").join("") }));
  const key = [["passed", "h12", passed.length ? `passed the box: ${passed.length}` : "arrived at the phone"], ["dropped", "m0 -4l8 8m0 -8l-8 8", `dropped by the box: ${dropped.length}`]];
  key.slice(0, isHidden ? 1 : 2).forEach(([look, mark, text], row) => {
    root.append(svg("path", { class: look, d: `M${LEFT + 14} ${10 + ROW * row}${mark}` }));
    root.append(svg("text", { x: LEFT + 34, y: 15 + ROW * row }, text));
  });
  $("segments").replaceChildren(root);
}

function drawBox() {
  const bucket = isHidden ? null : bucketAt(time);
  $("bucket").hidden = !bucket;
  if (bucket) {
    $("level").max = bucket[1]; $("level").value = bucket[0];
    $("level-says").textContent = `${(bucket[0] / 1000).toFixed(1)} of ${(bucket[1] / 1000).toFixed(1)} kB, refilled at ${Math.round(bucket[2] / 1000)} kbit/s`;
  }
  for (const box of $("net").querySelectorAll("[data-box]")) {
    const count = run.drops.filter((each) => each.box === box.dataset.box && each.t <= time).length;
    const acts = run.events.some((each) => each.box === box.dataset.box && each.t <= time && /^(throttling|blocking)_started$/.test(each.event));
    box.classList.toggle("acts", acts);
    box.querySelector(".says").textContent = acts ? `acts: ${count} packets dropped` : "";
  }
  const told = run.events.filter((each) => each.t <= time).sort((a, b) => a.t - b.t).slice(-50);
  const lines = told.map((each) => `${each.t.toFixed(2)} s  ${each.box}: ${each.text}${run.flows.has(each.flow) ? "  (" + run.flows.get(each.flow) + ")" : ""}`);
  if (lines.join() !== $("log").dataset.told) {
    $("log").dataset.told = lines.join();
    $("log").replaceChildren(...lines.map((text) => Object.assign(document.createElement("p"), { textContent: text })));
    $("log").scrollTop = $("log").scrollHeight;
  }
}

function row(cells) {
  const line = document.createElement("tr");
  line.append(...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
  return line;
}

function numbers(transfer) {
  const life = run.life.get(transfer.id) || {}, [start, end] = spanOf(transfer);
  const total = totalAt(run.bytes.get(transfer.id) || [], time);
  const isOver = life.finished !== undefined && life.finished <= time;
  const state = start > time ? "to come" : !isOver ? "under way" : life.error ? "failed: " + life.error : "done";
  const drops = isHidden ? "?" : run.drops.filter((each) => each.t <= time && run.flows.get(each.flow) === transfer.id).length;
  const average = end > start ? Math.round(total * 8 / (end - start) / 1000) : 0;
  return { now: state === "under way" ? Math.round(rateAt(transfer.id, time)) : "–", average: start > time ? "–" : average, total: Math.round(total / 1000), drops, state };
}

function drawNumbers() {
  $("rows").replaceChildren(...run.head.transfers.slice(0, 60).map((each) => {
    const of = numbers(each);
    return row([each.name, each.line, of.now, of.average, of.total, of.drops, of.state]);
  }));
}

function spoken() {
  return run.head.transfers.slice(0, 12).map((each) => { const of = numbers(each); return `${each.name} on ${each.line}: ${of.state}, ${of.average} kbit/s on average`; }).join("; ");
}

function draw() {
  if (!run.head) return;
  W = Math.max(280, $("rates").clientWidth || 600);
  drawRates(); drawSegments(); drawBox();
  if (performance.now() - drawn > 900 || !follows) { drawNumbers(); drawn = performance.now(); }
  $("scrub").max = Math.max(1, run.end); $("scrub").value = time;
  $("clock").textContent = `${time.toFixed(1)} s, ${new Date(run.head.start_ms + time * 1000).toISOString().slice(0, 19).replace("T", " ")}`;
}

// --- what is said beside the drawings ------------------------------------------------------------------------------
function showHead() {
  $("title").textContent = run.head.title;
  $("net").innerHTML = run.head.network;
  $("events").hidden = isHidden;
}

function showState(state) {
  phase = state.phase; isHidden = state.hidden;
  $("state").textContent = state.says; $("state").dataset.phase = phase;
  $("guessing").hidden = !isHidden; $("events").hidden = isHidden;
  $("votes").textContent = state.votes.filter((each) => each[1]).map(([name, count]) => `${name}: ${count}`).join(", ");
  $("command").textContent = state.command || ""; $("again").hidden = !state.command;
  const goes = ["starting", "running", "judging"].includes(phase);
  $("start").disabled = goes; $("stop-run").disabled = !goes;
}

function showOutcome() {
  const end = run.outcome;
  $("truth-says").replaceChildren(...end.says.map((text) => Object.assign(document.createElement("p"), { textContent: text })));
  $("verdicts").replaceChildren(...end.verdicts.map((each) => row(each)));
  $("truth").hidden = false;
}

function welcome(message) {
  document.body.classList.toggle("is-pupil", !message.teacher);
  $("address").hidden = !message.teacher;
  $("address").textContent = `For the class: ${message.class}`;
}

async function ask(action, body) {
  try {
    const answer = await fetch(action, { method: "POST", body: JSON.stringify(body || {}) });
    if (!answer.ok) $("state").textContent = await answer.text();
  } catch { $("state").textContent = "The demonstration does not answer; is `testbed demo` still running?"; }
}

function showStop() {
  const [option] = [...$("stops").options].filter((each) => each.value === $("stop").value);
  $("stop-says").textContent = option.textContent;
  $("stop").setAttribute("aria-valuetext", option.textContent);
}

function listen() {
  const events = new EventSource("events");
  events.onmessage = (event) => take(JSON.parse(event.data));
  events.onerror = () => { $("state").textContent = "The line to the demonstration is cut; trying again …"; };
  let voter = Math.random().toString(36).slice(2);
  try { voter = sessionStorage.voter = sessionStorage.voter || voter; } catch { /* private windows have none */ }
  $("choice").onsubmit = (event) => { event.preventDefault(); ask("start", { stop: +$("stop").value, cause: $("cause").value, evasion: $("evasion").value, state_outage: $("outage").checked, is_guess: $("guess").checked }); };
  $("guessing").onsubmit = (event) => { event.preventDefault(); const chosen = document.querySelector("[name=vote]:checked"); if (chosen) ask("vote", { voter, vote: chosen.value }); };
  $("stop-run").onclick = () => ask("stop");
  $("reveal").onclick = () => ask("reveal");
}

function playRecorded() {
  const messages = globalThis.recordedRun || [], [state] = messages;
  if (state) messages.filter((each) => !(state.hidden && each.secret)).forEach(take);
  $("guessing").onsubmit = (event) => { event.preventDefault(); const chosen = document.querySelector("[name=vote]:checked"); if (chosen) $("votes").textContent = `Your vote: ${chosen.value}`; };
  $("reveal").onclick = () => { const [at, goes] = [time, follows]; reset(); messages.forEach(take); showState({ ...state, hidden: false }); [time, follows] = [at, goes]; };
}

let before = performance.now();
function tick() {
  const now = performance.now(), passed = (now - before) / 1000;
  before = now;
  if (follows && isLive) time = run.end + (phase === "running" ? Math.min((now - arrived) / 1000, 60) : 0);
  else if (follows) time = Math.min(run.end, time + passed * +$("speed").value);
  draw();
}

function toggle() {
  if (!follows && !isLive && time >= run.end) time = 0;
  follows = !follows;
  $("play").textContent = follows ? "Pause" : isLive ? "Back to now" : "Play";
}
reset();
showStop();
$("stop").oninput = showStop;
$("play").onclick = toggle;
$("scrub").oninput = () => { if (follows) toggle(); time = +$("scrub").value; draw(); };
$("aloud").onclick = () => { $("spoken").textContent = run.head ? spoken() : "no run yet"; };
document.addEventListener("keydown", (event) => { if (event.key === " " && event.target === document.body) { event.preventDefault(); toggle(); } });
if (isLive) listen(); else playRecorded();
tick();
setInterval(tick, isCalm ? 1000 : 200);
