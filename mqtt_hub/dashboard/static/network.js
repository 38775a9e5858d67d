// Pulses along the network as messages pass, and what belongs to one node when it is chosen.

const SVG = "http://www.w3.org/2000/svg";
const PULSES_MAX = 60; // at a time; more would not be told apart
const PULSE_MS = 900;
const network = document.getElementById("network");
const still = matchMedia("(prefers-reduced-motion: reduce)");
const title = document.getElementById("h-chosen");
const about = document.getElementById("chosen");
let chosen = "";
let flying = 0;

const dots = () => [...network.querySelectorAll(".dot")];
const edges = () => [...network.querySelectorAll(".edge")];

function place(name) {
  const dot = dots().find((item) => item.dataset.node === name);
  if (!dot) return name === "hub" || !name ? [500, 500] : null;
  const { e, f } = dot.transform.baseVal.consolidate().matrix;
  return [e, f];
}

function pulse(type, from, to, delay) {
  const [start, end] = [place(from), place(to)];
  if (!start || !end || flying >= PULSES_MAX || still.matches) return;
  flying += 1;
  const dot = document.createElementNS(SVG, "circle");
  dot.setAttribute("r", "8");
  dot.setAttribute("class", `t-${type}`);
  dot.setAttribute("opacity", "0");
  network.querySelector("#pulses").append(dot);
  const begins = performance.now() + delay;
  const step = (now) => {
    const share = (now - begins) / PULSE_MS;
    if (share >= 1) {
      dot.remove();
      flying -= 1;
      return;
    }
    if (share >= 0) {
      const eased = share * share * (3 - 2 * share);
      dot.setAttribute("cx", start[0] + (end[0] - start[0]) * eased);
      dot.setAttribute("cy", start[1] + (end[1] - start[1]) * eased);
      dot.setAttribute("opacity", String(Math.min(1, 4 * share, 4 * (1 - share))));
    }
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

document.addEventListener("traffic", (event) => {
  for (const { type, sender, to, messages } of event.detail.groups) {
    if (chosen && sender !== chosen && to !== chosen) continue;
    for (let n = 0; n < Math.min(messages, 3); n += 1) pulse(type, sender, to || "hub", n * 120);
  }
});

function choose(name) {
  chosen = name === chosen ? "" : name;
  network.classList.toggle("focus", Boolean(chosen));
  const near = new Set([chosen]);
  const lines = [];
  for (const edge of edges()) {
    const { a, b, times } = edge.dataset;
    const mine = a === chosen || b === chosen;
    edge.classList.toggle("near", mine);
    if (mine) {
      near.add(a).add(b);
      const sort = edge.classList.contains("s-answer") ? "answers" : edge.classList.contains("s-verdict") ? "verdicts" : "times built on";
      lines.push(a === chosen ? `gave ${b}: ${times} ${sort}` : `got from ${a}: ${times} ${sort}`);
    }
  }
  for (const dot of dots()) {
    dot.classList.toggle("near", near.has(dot.dataset.node));
    dot.classList.toggle("chosen", dot.dataset.node === chosen);
  }
  title.textContent = chosen || "All nodes";
  about.replaceChildren();
  const said = chosen ? (lines.length ? lines : ["Nothing passed between it and others yet."]) : ["Choose a node with a click, or Tab and Space. Enter opens its page, Escape shows all."];
  for (const line of said.slice(0, 24)) {
    const row = document.createElement("p");
    row.className = "line";
    row.textContent = line;
    about.append(row);
  }
  if (chosen) {
    const link = document.createElement("a");
    link.href = `/nodes/${encodeURIComponent(chosen)}`;
    link.textContent = "Its page";
    about.append(link);
  }
}

network?.addEventListener("click", (event) => {
  const dot = event.target.closest(".dot");
  if (dot && event.detail !== 0) event.preventDefault(); // a pointer chooses; Enter on the focused link opens
  if (dot && event.detail !== 0) choose(dot.dataset.node);
  if (!dot && chosen) choose(chosen);
});
network?.addEventListener("keydown", (event) => {
  const dot = event.target.closest?.(".dot");
  if (dot && event.key === " ") {
    event.preventDefault();
    choose(dot.dataset.node);
  }
});
document.addEventListener("keydown", (event) => event.key === "Escape" && chosen && choose(chosen));
document.addEventListener("page-taken", () => {
  if (chosen) {
    const again = chosen;
    chosen = "";
    choose(again);
  }
});
