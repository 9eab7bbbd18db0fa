"use strict";
(() => {
  const $ = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const slider = $("#gamma"), value = $("#gamma-value"), choice = $("#prompt"), difference = $("#difference");
  const labels = all("section.prompt:first-of-type thead button").map((b) => b.textContent);
  const plain = labels.indexOf("γ 1");

  // cellAt is the picture of a row of a table at a gamma, or null.
  const cellAt = (row, gamma) => $("img", all("td", row)[gamma]);

  // show brings what is seen in line with the controls.
  function show() {
    const gamma = Number(slider.value), prompt = choice ? choice.value : "0";
    value.textContent = labels[gamma];
    slider.setAttribute("aria-valuetext", labels[gamma]);
    document.body.classList.toggle("differing", difference.checked);
    for (const section of all("section.prompt")) {
      section.hidden = section.dataset.prompt !== prompt;
      if (section.hidden) continue;
      for (const button of all("thead button", section)) {
        button.setAttribute("aria-pressed", String(Number(button.dataset.gamma) === gamma));
      }
      for (const figure of all("figure", section)) {
        const row = $(`tbody tr[data-row="${figure.dataset.row}"]`, section);
        const shown = cellAt(row, gamma), base = plain < 0 ? null : cellAt(row, plain);
        put($(".shown", figure), shown);
        put($(".base", figure), base);
        $(".base", figure).alt = "";
        const name = $("th", row) ? $("th", row).textContent + ", " : "";
        $("figcaption", figure).textContent = name + labels[gamma] + (shown ? "" : ": not painted");
      }
    }
  }

  function put(img, from) {
    if (!from) {
      img.removeAttribute("src");
      img.alt = "";
      return;
    }
    if (img.src !== from.src) img.src = from.src;
    img.alt = from.alt;
    img.width = from.width;
    img.height = from.height;
  }

  // move steps a control that has a range of values.
  function move(control, by, last) {
    control.value = String(Math.min(Math.max(Number(control.value) + by, 0), last));
    show();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("select, input[type=range], .scroll")) {
      if (!["p", "n", "d"].includes(event.key) || event.ctrlKey || event.altKey || event.metaKey || event.target.closest("select")) return;
    }
    switch (event.key) {
      case "ArrowLeft": move(slider, -1, labels.length - 1); break;
      case "ArrowRight": move(slider, 1, labels.length - 1); break;
      case "p": if (choice) move(choice, -1, choice.options.length - 1); break;
      case "n": if (choice) move(choice, 1, choice.options.length - 1); break;
      case "d": if (!difference.disabled) difference.click(); break;
      default: return;
    }
    event.preventDefault();
  });
  slider.addEventListener("input", show);
  difference.addEventListener("change", show);
  if (choice) choice.addEventListener("change", show);
  for (const button of all("thead button")) {
    button.addEventListener("click", () => { slider.value = button.dataset.gamma; show(); });
  }

  // times draws the mean of each gamma's cells.
  function times() {
    const cells = JSON.parse($("#times").textContent), to = $("#times-plot");
    const groups = labels.map((label, i) => ({ label, cells: cells.filter((c) => c.gamma === i) })).filter((g) => g.cells.length > 0);
    if (groups.length === 0) {
      to.textContent = "No times are known.";
      return;
    }
    const mean = (list, of) => list.reduce((sum, c) => sum + of(c), 0) / list.length;
    for (const g of groups) {
      g.denoising = mean(g.cells, (c) => c.denoising);
      g.decoding = mean(g.cells, (c) => c.decoding);
      g.most = Math.max(...g.cells.map((c) => c.total));
      g.least = Math.min(...g.cells.map((c) => c.total));
    }
    const scroll = document.createElement("div");
    scroll.className = "scroll";
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", "Times in numbers");
    scroll.append(numbers(groups));
    to.append(bars(groups), scroll);
  }

  const seconds = (s) => (s < 10 ? s.toFixed(2) : s.toFixed(0)) + " s";

  function bars(groups) {
    const longest = Math.max(...groups.map((g) => g.denoising + g.decoding)), height = 26;
    const svg = node("svg", { viewBox: `0 0 640 ${groups.length * height + 30}`, width: 640, role: "img", "aria-label": "Mean seconds of a cell at each gamma; the numbers are in the table below" });
    groups.forEach((g, i) => {
      const y = i * height, unit = 400 / longest;
      svg.append(node("text", { x: 0, y: y + 17 }, g.label),
        node("rect", { class: "bar", x: 80, y: y + 4, width: g.denoising * unit, height: 18 }),
        node("rect", { class: "bar decoding", x: 80 + g.denoising * unit, y: y + 4, width: g.decoding * unit, height: 18 }),
        node("text", { x: 88 + (g.denoising + g.decoding) * unit, y: y + 17 }, seconds(g.denoising + g.decoding)));
    });
    svg.append(node("text", { x: 80, y: groups.length * height + 20 }, "denoising, then decoding; mean of a cell"));
    return svg;
  }

  function node(name, attributes, text = "") {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    e.textContent = text;
    return e;
  }

  function numbers(groups) {
    const table = document.createElement("table");
    table.className = "numbers";
    const head = table.createTHead().insertRow();
    for (const name of ["γ", "cells", "denoising", "decoding", "shortest", "longest"]) {
      const th = document.createElement("th");
      th.scope = "col";
      th.textContent = name;
      head.append(th);
    }
    const body = table.createTBody();
    for (const g of groups) {
      const row = body.insertRow();
      for (const text of [g.label, g.cells.length, seconds(g.denoising), seconds(g.decoding), seconds(g.least), seconds(g.most)]) {
        row.insertCell().textContent = text;
      }
    }
    return table;
  }

  $("#controls").hidden = false;
  for (const viewer of all(".viewer")) viewer.hidden = false;
  show();
  times();
})();
