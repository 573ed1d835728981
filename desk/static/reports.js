// Draws a chart above each table that asks for one, from the numbers in its cells. The tables say all that the charts do.
"use strict";

(() => {
  if (!window.echarts) return;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const hues = () => [1, 2, 3, 4, 5].map((number) => colour(`--hue-${number}`));

  // Labels and named rows of numbers; only columns whose cells carry numbers are drawn.
  const read = (table) => {
    const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
    const rows = [...table.tBodies[0].rows];
    const series = heads
      .map((name, column) => ({ name, numbers: rows.map((row) => row.cells[column].dataset.number) }))
      .filter((one) => one.numbers.some((number) => number !== undefined))
      .map((one) => ({ name: one.name, numbers: one.numbers.map((number) => Number(number || 0)) }));
    return { labels: rows.map((row) => row.cells[0].textContent.trim()), series };
  };

  const options = (kind, { labels, series }) => {
    const ink = colour("--ink");
    const isStack = kind === "stack";
    const values = { type: "value", minInterval: 1, axisLabel: { color: ink }, splitLine: { lineStyle: { color: colour("--line") } } };
    const names = { type: "category", data: labels, inverse: !isStack, axisTick: { show: false }, axisLine: { lineStyle: { color: colour("--line") } } };
    names.axisLabel = isStack ? { color: ink, hideOverlap: true } : { color: ink, width: 150, overflow: "truncate" };
    return {
      animation: false,
      color: hues(),
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      // Words are drawn on the canvas: a box of HTML would need styles that the policy forbids.
      tooltip: { trigger: "axis", renderMode: "richText", axisPointer: { type: "shadow" }, backgroundColor: colour("--surface"), borderColor: colour("--line"), textStyle: { color: ink } },
      legend: isStack ? { textStyle: { color: ink }, top: 0 } : undefined,
      grid: { left: 8, right: 24, top: isStack ? 40 : 8, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
      xAxis: isStack ? names : values,
      yAxis: isStack ? values : names,
      series: series.map((one) => ({ type: "bar", name: one.name, data: one.numbers, stack: isStack ? "all" : undefined, barMaxWidth: 28 })),
    };
  };

  const drawn = [];
  for (const table of document.querySelectorAll("table[data-chart]")) {
    const kind = table.dataset.chart;
    const data = read(table);
    const box = document.createElement("div");
    box.className = kind === "stack" ? "chart" : `chart rows-${Math.min(Math.ceil(data.labels.length / 5), 6)}`;
    // Whoever listens has the table.
    box.setAttribute("aria-hidden", "true");
    table.parentElement.before(box);
    const chart = echarts.init(box, null, { renderer: "canvas" });
    const draw = () => chart.setOption(options(kind, data));
    draw();
    drawn.push({ chart, draw });
  }
  addEventListener("resize", () => drawn.forEach(({ chart }) => chart.resize()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(({ draw }) => draw()));
})();
