/* The emulated kiosk: what people do goes out as acts, one line each; what the gate's parts do comes in as it happens. */
"use strict";

const SHOWN_S = 20; // of history
const FRAME_MS = 150; // between two pictures of one's own camera
const KEPT = 200; // lines of what happened
const WORDS = {
  zh: { off: "灭", white: "白", green: "绿", amber: "黄", red: "红", blue: "蓝", mixed: "混合", open: "放行", shut: "关闭", silent: "静音", sounds: "鸣响",
    power: ["断电", "上电"], network: ["拔网线", "插网线"], over: "解除", raised: "告警", other: "English" },
  en: { off: "off", white: "white", green: "green", amber: "amber", red: "red", blue: "blue", mixed: "mixed", open: "open", shut: "shut", silent: "silent", sounds: "sounds",
    power: ["cut the power", "power on"], network: ["pull the network cable", "plug the cable in"], over: "resolved", raised: "alert", other: "中文" },
};

const element = (id) => document.getElementById(id);
let tongue = "zh";
let world = null;
let ahead = 0; // of the gate's clock over ours, in seconds
let edges = {}; // pin: [[second, on], ...]
let holding = null; // the code that is held up: the tray's name or a text
let camera = null;

async function send(path, body) {
  let answer;
  try {
    answer = await fetch(path, { method: "POST", body, headers: { "X-Menshen": "kiosk" } });
  } catch {
    answer = null; // the kiosk itself has ended
  }
  const said = answer ? await answer.json() : { problem: "menshen kiosk?" };
  element("problem").textContent = said.problem || "";
  element("problem").hidden = !said.problem;
  return !said.problem;
}

const act = (line) => send("act", line);

function speak() {
  document.documentElement.lang = tongue;
  for (const place of document.querySelectorAll("[data-zh]:not(li)")) {
    if (place.tagName === "INPUT") place.placeholder = place.dataset[tongue];
    else place.textContent = place.dataset[tongue];
  }
  element("language").textContent = WORDS[tongue].other;
  for (const line of document.querySelectorAll("#past li[data-zh] span")) line.textContent = line.parentElement.dataset[tongue];
  if (world) paint();
}

function options() {
  return [...document.querySelectorAll("[data-option]")]
    .filter((range) => range.value !== range.defaultValue)
    .map((range) => `${range.dataset.option}=${range.value}`)
    .join(" ");
}

function hold(code) {
  stopCamera();
  holding = code;
  for (const button of element("tray").children) button.classList.toggle("held", `@${button.dataset.name}` === code);
  const chosen = options();
  return act(`show ${code}${chosen || code.includes(" -- ") ? ` -- ${chosen}` : ""}`);
}

function letGo() {
  holding = null;
  for (const button of element("tray").children) button.classList.remove("held");
}

function drop() {
  letGo();
  stopCamera();
}

async function startCamera() {
  try {
    camera = await navigator.mediaDevices.getUserMedia({ video: { width: 1280, height: 720 } });
  } catch (error) {
    element("problem").textContent = `${error.name}: ${error.message}`;
    element("problem").hidden = false;
    return;
  }
  letGo();
  element("self").srcObject = camera;
  element("self").hidden = false;
  await element("self").play();
  element("laptop").setAttribute("aria-pressed", "true");
  element("laptop").classList.add("held");
  film(camera, true);
}

async function film(stream, first) {
  if (camera !== stream) return;
  const begun = performance.now();
  const sheet = document.createElement("canvas");
  const view = element("self");
  if (view.videoWidth) {
    sheet.width = view.videoWidth;
    sheet.height = view.videoHeight;
    sheet.getContext("2d").drawImage(view, 0, 0);
    const jpeg = await new Promise((done) => sheet.toBlob(done, "image/jpeg", 0.8));
    if (camera === stream) await send(first ? "frame?start" : "frame", jpeg);
    first = false;
  }
  setTimeout(() => film(stream, first), Math.max(0, FRAME_MS - (performance.now() - begun)));
}

function stopCamera() {
  if (!camera) return;
  for (const track of camera.getTracks()) track.stop();
  camera = null;
  element("self").hidden = true;
  element("laptop").setAttribute("aria-pressed", "false");
  element("laptop").classList.remove("held");
}

function paint() {
  const words = WORDS[tongue];
  const on = (pin) => Boolean(world.pins[pin]);
  element("lamp").dataset.colour = world.lamp;
  element("colour").textContent = words[world.lamp];
  element("turnstile").classList.toggle("open", on("relay"));
  element("relay").textContent = on("relay") ? words.open : words.shut;
  element("buzzer").classList.toggle("on", on("buzzer"));
  element("sound").textContent = on("buzzer") ? words.sounds : words.silent;
  for (const name of ["power", "network"]) {
    element(name).className = "switch";
    element(name).setAttribute("aria-pressed", String(world[name]));
    element(name).textContent = words[name][world[name] ? 0 : 1];
  }
  element("alerts").replaceChildren(...world.alerts.map((alert) =>
    Object.assign(document.createElement("li"), { textContent: alert[tongue] })));
}

function tell(each) {
  const line = document.createElement("li");
  const when = document.createElement("time");
  when.textContent = new Date(Date.now() + (each.at - ahead - performance.now() / 1000) * 1000).toTimeString().slice(0, 8);
  const text = document.createElement("span");
  if (each.what === "event") {
    line.className = each.style.split(" ").pop();
    Object.assign(line.dataset, { zh: each.zh, en: each.en });
    text.textContent = each[tongue];
  } else if (each.what === "act") {
    line.className = "act";
    text.textContent = `> ${each.name}`;
  } else if (each.what === "alert") {
    line.className = each.over ? "green" : "red";
    const word = (lang) => `${WORDS[lang][each.over ? "over" : "raised"]}: ${each[lang]}`;
    Object.assign(line.dataset, { zh: word("zh"), en: word("en") });
    text.textContent = word(tongue);
  } else return;
  line.append(when, text);
  element("past").prepend(line);
  while (element("past").childElementCount > KEPT) element("past").lastElementChild.remove();
}

function hear(said) {
  ahead = said.now - performance.now() / 1000;
  world = said;
  for (const each of said.past) {
    if (each.what === "pin") (edges[each.name] ||= []).push([each.at, each.on]);
    tell(each);
  }
  for (const name of Object.keys(said.pins)) edges[name] ||= [];
  if (said.past.some((each) => each.what === "power" && each.name === "off")) drop();
  paint();
}

function draw() {
  const sheet = element("history");
  const names = Object.keys(edges);
  const [scale, wide] = [devicePixelRatio || 1, sheet.clientWidth];
  const [row, left] = [17, 96];
  const high = Math.max(1, names.length) * row + 22;
  sheet.width = wide * scale;
  sheet.height = high * scale;
  sheet.style.height = `${high}px`;
  const pen = sheet.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.font = "12px ui-monospace, monospace";
  const now = performance.now() / 1000 + ahead;
  const at = (second) => left + (wide - left - 8) * Math.max(0, 1 - (now - second) / SHOWN_S);
  names.forEach((name, number) => {
    const top = 6 + number * row;
    pen.fillStyle = "#1a2233";
    pen.fillText(name, 6, top + 12);
    pen.fillStyle = "#e9ecf2";
    pen.fillRect(left, top + 3, wide - left - 8, row - 6);
    pen.fillStyle = name.startsWith("lamp") ? { lamp_red: "#e0202b", lamp_green: "#14b55c", lamp_blue: "#2f6bff" }[name] : "#3c4660";
    const past = edges[name];
    while (past.length > 1 && past[1][0] < now - SHOWN_S) past.shift();
    past.forEach(([second, on], place) => {
      if (!on) return;
      const end = place + 1 < past.length ? past[place + 1][0] : now;
      pen.fillRect(at(second), top + 1, Math.max(2, at(end) - at(second)), row - 2);
    });
  });
  pen.fillStyle = "#566074";
  for (let second = 0; second <= SHOWN_S; second += 5) pen.fillText(second ? `-${second}s` : "0", at(now - second) - 8, high - 5);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (!button) return;
  if (button.dataset.act === "hide") drop();
  act(button.dataset.act);
});
document.addEventListener("change", (event) => {
  const chosen = event.target.closest("[data-choose]");
  if (chosen) act(`${chosen.dataset.choose} ${chosen.value}`);
  if (event.target.closest("[data-option]") && holding) hold(holding);
});
element("celsius").addEventListener("input", () => { element("degrees").textContent = `${Number(element("celsius").value).toFixed(1)} °C`; });
element("celsius").addEventListener("change", () => act(`heat ${element("celsius").value}`));
element("paste").addEventListener("submit", (event) => {
  event.preventDefault();
  if (element("text").value.trim()) hold(element("text").value.trim());
});
element("upload").addEventListener("change", async () => {
  const [picture] = element("upload").files;
  drop();
  if (picture) await send("picture", picture);
  element("upload").value = "";
});
element("laptop").addEventListener("click", () => {
  if (!camera) startCamera();
  else {
    stopCamera();
    act("hide");
  }
});
for (const name of ["power", "network"]) element(name).addEventListener("click", () => act(`${name} ${world[name] ? "off" : "on"}`));
element("language").addEventListener("click", () => {
  tongue = tongue === "zh" ? "en" : "zh";
  speak();
});

(async () => {
  const setup = await (await fetch("setup")).json();
  tongue = setup.language;
  element("screen").src = `http://${location.hostname}:${setup.screen}/`;
  element("tray").append(...setup.tray.map(({ name, zh, en }) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: zh });
    Object.assign(button.dataset, { name, zh, en });
    button.addEventListener("click", () => hold(`@${name}`));
    return button;
  }));
  speak();
  new EventSource("world").addEventListener("message", (message) => hear(JSON.parse(message.data)));
  setInterval(draw, 100);
})();
