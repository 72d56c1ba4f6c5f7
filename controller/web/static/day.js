// One entrance's day as charts; the same numbers stand in a table below them.
"use strict";
(async () => {
  const day = document.getElementById("day");
  const answer = await fetch(day.dataset.url);
  if (!answer.ok) return;
  const found = await answer.json();
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const drawn = [];

  function axes(size) {
    const common = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    const hours = (_chart, times) => times.map((at) => new Date(at * 1000).toTimeString().slice(0, 5));
    return [{ ...common, values: hours, space: 60 }, { ...common, size }];
  }

  function draw(id, names, shapes, scale) {
    const place = document.getElementById(id);
    const width = () => Math.max(240, place.clientWidth);
    const series = names.map((name, number) => ({ label: day.dataset[name], points: { show: shapes[number].points }, ...shapes[number] }));
    const options = { width: width(), height: 190, cursor: { drag: { x: false, y: false } }, scales: { y: scale }, axes: axes(44), legend: { live: false }, series: [{}, ...series] };
    const chart = new uPlot(options, [found.times, ...names.map((name, number) => (number && id === "scans" ? found[name].map((count) => count || null) : found[name]))], place);
    drawn.push(() => chart.setSize({ width: width(), height: 190 }));
  }

  const bars = uPlot.paths.bars({ size: [0.8, 30] });
  const above = (_chart, _low, high) => [0, Math.max(5, high * 1.1)];
  draw("scans", ["grants", "referrals", "refusals", "unscanned"], [
    { stroke: colour("--fine"), fill: colour("--fine-soft"), width: 2, paths: bars, points: false },
    { stroke: colour("--warning"), width: 2, dash: [6, 3], points: true },
    { stroke: colour("--critical"), width: 3, points: true },
    { stroke: colour("--ink"), width: 1, dash: [2, 2], points: true },
  ], { range: above });
  const around = (_chart, low, high) => [Math.min(35, Math.floor(low ?? 35)), Math.max(39, Math.ceil(high ?? 39))];
  draw("warmth", ["celsius", "hottest"], [
    { stroke: colour("--accent"), width: 2, spanGaps: false, points: true },
    { stroke: colour("--critical"), width: 2, dash: [6, 3], points: true },
  ], { range: around });
  document.body.dataset.drawn = "yes";
  new ResizeObserver(() => drawn.forEach((fit) => fit())).observe(day);
})();
