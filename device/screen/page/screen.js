/* The visitor's screen: shows what the gate says, and the picture its camera sees. It asks nothing and keeps nothing. */
"use strict";

const TONES = {
  grant: { wave: "sine", notes: [[660, 0, 0.14], [990, 0.15, 0.3]] }, // rises
  refer: { wave: "triangle", notes: [[520, 0, 0.2], [520, 0.32, 0.2], [520, 0.64, 0.2]] }, // knocks
  refuse: { wave: "square", notes: [[300, 0, 0.25], [190, 0.27, 0.6]] }, // falls
};
const SILENT_MS = 7000; // without a sign of life the gate's process is gone; it gives one every two seconds
const LOOK_MS = 100; // between two pictures
const BLIND_MS = 1500; // without a picture before the shape stands in its place
const CHOSEN_MS = 60000; // a language that somebody chose stays so long, then comes the next person

const element = (id) => document.getElementById(id);
const canvas = element("live").getContext("2d");
let said = null; // what the gate says
let heardAt = 0;
let chosen = ""; // a language, by the button
let chosenAt = 0;
let painted = "";
let sound = null;
let seenAt = -Infinity; // when there last was a picture, or none was wanted

function tongue() {
  if (chosen && Date.now() - chosenAt > CHOSEN_MS) chosen = "";
  return chosen || (said && (said.spoken || said.language)) || "zh";
}

function paragraphs(place, lines) {
  place.replaceChildren(...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })));
}

function paint(face) {
  const mine = tongue();
  const other = mine === "zh" ? "en" : "zh";
  const told = JSON.stringify([mine, face]);
  if (told === painted) return; // what is written anew is read out anew
  painted = told;
  const fresh = document.body.dataset.kind !== face.kind;
  document.documentElement.lang = mine;
  document.body.dataset.kind = face.kind;
  document.body.dataset.hint = face.hint;
  element("shape").firstElementChild.setAttribute("href", `#${face.kind}`);
  element("hint").toggleAttribute("hidden", !face.hint);
  if (face.hint) element("hint").firstElementChild.setAttribute("href", `#${face.hint}`);
  element("title").textContent = face[mine].title;
  element("title").lang = element("lines").lang = mine;
  paragraphs(element("lines"), face[mine].lines);
  paragraphs(element("other"), [face[other].title, ...face[other].lines]);
  element("other").lang = other;
  element("warnings").replaceChildren(...[mine, other].map((lang) =>
    Object.assign(document.createElement("span"), { lang, textContent: face[lang].warnings.join(" · ") })));
  element("warnings").toggleAttribute("hidden", face[mine].warnings.length === 0);
  element("language").textContent = mine === "zh" ? "English" : "中文";
  element("language").lang = other;
  if (fresh) arrive(face.kind);
}

function arrive(kind) {
  const shape = element("shape");
  shape.replaceWith(shape.cloneNode(true)); // starts its movement anew
  if (TONES[kind]) play(kind);
}

function play(kind) {
  sound = sound || new AudioContext();
  sound.resume(); // where the browser waits for a touch first, the next one is heard
  document.body.dataset.tone = kind;
  const { wave, notes } = TONES[kind];
  for (const [hertz, after, seconds] of notes) {
    const from = sound.currentTime + after;
    const tone = new OscillatorNode(sound, { type: wave, frequency: hertz });
    const volume = new GainNode(sound, { gain: 0 });
    volume.gain.setTargetAtTime(0.25, from, 0.01);
    volume.gain.setTargetAtTime(0, from + seconds, 0.03);
    tone.connect(volume).connect(sound.destination);
    tone.start(from);
    tone.stop(from + seconds + 0.3);
  }
}

function repaint() {
  const alive = said && performance.now() - heardAt < SILENT_MS;
  if (said) paint(alive ? said : said.closed);
}

async function look() {
  const begun = performance.now();
  const ready = said && said.live && said.kind === "ready" && !document.hidden;
  if (!ready) {
    canvas.clearRect(0, 0, canvas.canvas.width, canvas.canvas.height); // nobody sees who was here before
    seenAt = begun;
  } else if (await mirror()) {
    seenAt = performance.now();
  }
  document.body.classList.toggle("watched", Boolean(said && said.live) && performance.now() - seenAt < BLIND_MS);
  setTimeout(look, Math.max(0, LOOK_MS - (performance.now() - begun)));
}

async function mirror() {
  try {
    const answer = await fetch("live.jpg");
    if (answer.status !== 200) return false;
    const picture = await createImageBitmap(await answer.blob());
    const sheet = canvas.canvas;
    if (sheet.width !== picture.width || sheet.height !== picture.height) {
      sheet.width = picture.width;
      sheet.height = picture.height;
    }
    canvas.setTransform(-1, 0, 0, 1, sheet.width, 0); // as in a mirror: people move the right way
    canvas.drawImage(picture, 0, 0);
    picture.close();
    return true;
  } catch {
    return false; // the gate is gone, or the picture was cut short: the shape stands instead
  }
}

element("language").addEventListener("click", () => {
  chosen = tongue() === "zh" ? "en" : "zh";
  chosenAt = Date.now();
  if (sound) sound.resume();
  repaint();
});
const gate = new EventSource("shown"); // comes back by itself
gate.addEventListener("message", (message) => {
  const before = said || { spoken: "" };
  said = JSON.parse(message.data);
  // What was asked for last counts, by the button or by a card held up to the gate.
  if (said.spoken && (said.spoken !== before.spoken || (said.kind === "greeting" && before.kind !== "greeting"))) chosen = "";
  heardAt = performance.now();
  paint(said);
});
gate.addEventListener("error", () => {
  heardAt = -Infinity;
  repaint();
});
setInterval(repaint, 1000);
look();
