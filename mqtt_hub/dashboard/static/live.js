// Keeps the page at what the server says: an event tells that something changed, the page is fetched again, and
// what differs is taken over (Idiomorph keeps focus, scroll and what the reader opened). No markup is made here.

const REFRESH_MS = 1000; // at most one fetch in this time
const SILENT_MS = 25000; // the server says something every ten seconds
const wanted = new Set((document.body.dataset.live || "").split(/\s+/).filter(Boolean));
const banner = document.getElementById("banner");
const state = document.getElementById("hub-state");
const pause = document.getElementById("pause");

let paused = false;
let due = false;
let busy = false;
let lastFetch = 0;
let heardAt = Date.now();
let hub = state.dataset.state;

function wants(types) {
  return wanted.has("all") || types.some((type) => wanted.has(type));
}

function show(text) {
  banner.textContent = text;
  banner.hidden = !text;
}

function tellState(word, label) {
  if (state.dataset.state !== word) state.dataset.state = word;
  if (state.textContent !== label) state.textContent = label;
}

function ask() {
  due = true;
  setTimeout(refresh, Math.max(0, lastFetch + REFRESH_MS - Date.now()));
}

async function refresh() {
  if (!due || busy || paused || document.hidden || Date.now() < lastFetch + REFRESH_MS - 20) return;
  due = false;
  busy = true;
  lastFetch = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { "X-Refresh": "1" }, redirect: "manual" });
    if (answer.type === "opaqueredirect") return location.reload();
    if (answer.ok || answer.status === 503) take(await answer.text());
  } catch {
    due = true; // the stream of events says when the server is back
  } finally {
    busy = false;
    if (due) ask();
  }
}

function take(html) {
  const next = new DOMParser().parseFromString(html, "text/html");
  const main = next.getElementById("main");
  if (!main) return;
  Idiomorph.morph(document.getElementById("main"), main, {
    ignoreActiveValue: true,
    restoreFocus: true,
    callbacks: {
      beforeNodeMorphed: (old) => !(old.nodeType === 1 && (old.id === "pulses" || old.hasAttribute("data-keep") || (old.matches("details, input, select") && old.tagName !== "DETAILS"))),
      beforeAttributeUpdated: (name, node) => !(name === "open" && node.tagName === "DETAILS") && !(name === "class" && node.closest("#network")),
      beforeNodeRemoved: (node) => !(node.nodeType === 1 && node.hasAttribute("data-keep")),
      afterNodeAdded: (node) => {
        if (node.nodeType === 1 && node.matches("tr[id], article[id]")) node.classList.add("fresh");
      },
    },
  });
  document.dispatchEvent(new CustomEvent("page-taken"));
}

function follow() {
  const stream = new EventSource("/api/events");
  const heard = (handle) => (event) => {
    heardAt = Date.now();
    handle(JSON.parse(event.data));
  };
  stream.addEventListener("open", () => {
    heardAt = Date.now();
    if (!banner.hidden) due = true;
    show("");
    tellState(hub, `hub ${hub}`);
    if (due) ask();
  });
  stream.addEventListener("hub", heard((told) => {
    const changed = told.state !== hub;
    hub = told.state;
    tellState(hub, `hub ${hub}`);
    show(hub === "away" ? `The hub is away (${told.why}); reconnecting …` : "");
    if (changed || wanted.has("all")) ask();
  }));
  stream.addEventListener("archive", heard((told) => {
    show(told.fault ? `The archive cannot be read: ${told.fault}` : "");
    if (!told.fault) ask();
  }));
  stream.addEventListener("traffic", heard((told) => {
    document.dispatchEvent(new CustomEvent("traffic", { detail: told }));
    if (wants(told.groups.map((group) => group.type))) ask();
  }));
  stream.addEventListener("gap", heard(ask));
  stream.addEventListener("still", heard(() => {}));
  stream.addEventListener("error", () => {
    tellState("lost", "dashboard away");
    show("No connection to the dashboard. Is the hub restarting? Reconnecting …");
    if (stream.readyState === EventSource.CLOSED) refused(); // not lost but turned away
  });
  return stream;
}

document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
async function refused() {
  try {
    const answer = await fetch(location.href, { redirect: "manual" });
    if (answer.type === "opaqueredirect") return location.reload(); // a login is needed again
    show("Too many viewers follow live. This page is as of now; reload it for news.");
  } catch {
    setTimeout(follow, 2000);
  }
}

pause.hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  document.body.classList.toggle("paused", paused);
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Resume" : "Pause";
  if (!paused) ask();
});
document.addEventListener("visibilitychange", () => due && ask());

if (wanted.size) {
  let stream = follow();
  setInterval(() => {
    if (Date.now() - heardAt < SILENT_MS) return;
    stream.close(); // half open: this machine slept, or the other side has lost power
    heardAt = Date.now();
    stream = follow();
  }, 5000);
  // Charts move with time also when nothing comes: spans end, rates fall to zero.
  setInterval(() => wanted.has("all") && ask(), 5000);
} else {
  pause.hidden = true;
}

// Figures with several nodes: pointing at one dims the others.
document.addEventListener("pointerover", (event) => focusNode(event.target));
document.addEventListener("focusin", (event) => focusNode(event.target));
function focusNode(target) {
  const marked = target.closest?.(".race [data-node]");
  for (const race of document.querySelectorAll(".race")) {
    const here = marked && race.contains(marked);
    race.classList.toggle("focus", Boolean(here));
    for (const node of race.querySelectorAll("[data-node]")) node.classList.toggle("focus", Boolean(here) && node.dataset.node === marked.dataset.node);
  }
}
