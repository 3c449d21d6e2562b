"use strict";

document.documentElement.classList.add("js");

const GAP = 10; // pixels between the cross-hair and what is told

function rounded(value) {
  return Number(value.toPrecision(5));
}

/** Tells the values of a chart's curves at the x nearest to a pointer, or moved to with keys. */
function readable(figure) {
  const data = JSON.parse(figure.dataset.chart);
  const plot = figure.querySelector(".plot");
  const svg = plot.querySelector("svg");
  const tip = plot.querySelector(".tip");
  const upright = svg.querySelector(".cursor line");
  const dots = svg.querySelectorAll(".cursor circle");
  const width = svg.viewBox.baseVal.width;
  const last = data.x.length - 1;
  let at = -1;
  if (last < 0) {
    return;
  }

  function line(text) {
    const row = document.createElement("div");
    row.textContent = text;
    return row;
  }

  function show(index) {
    at = Math.max(0, Math.min(last, index));
    const x = data.px[at];
    upright.setAttribute("x1", x);
    upright.setAttribute("x2", x);
    const rows = [line(`${data.label} ${rounded(data.x[at])}`)];
    data.lines.forEach((curve, number) => {
      const value = curve.y[at];
      dots[number].style.visibility = curve.py[at] === null ? "hidden" : "inherit";
      if (curve.py[at] !== null) {
        dots[number].setAttribute("cx", x);
        dots[number].setAttribute("cy", curve.py[at]);
      }
      if (value !== null) {
        rows.push(line(`${curve.name} ${rounded(value)}`));
      }
    });
    tip.replaceChildren(...rows);
    tip.hidden = false;
    figure.classList.add("reading");
    // Beside the place, on the side with more room; where neither has enough, over it.
    const scale = plot.clientWidth / width;
    const wanted = x > width / 2 ? x * scale - GAP - tip.offsetWidth : x * scale + GAP;
    tip.style.left = `${Math.max(0, Math.min(plot.clientWidth - tip.offsetWidth, wanted))}px`;
  }

  function hide() {
    at = -1;
    tip.hidden = true;
    figure.classList.remove("reading");
  }

  function follow(event) {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * width;
    let nearest = 0;
    data.px.forEach((place, index) => {
      if (Math.abs(place - x) < Math.abs(data.px[nearest] - x)) {
        nearest = index;
      }
    });
    show(nearest);
  }

  function move(event) {
    const start = at < 0 ? last : at;
    const moves = {
      ArrowLeft: () => show(at < 0 ? last : start - 1),
      ArrowRight: () => show(at < 0 ? 0 : start + 1),
      Home: () => show(0),
      End: () => show(last),
      Escape: hide,
    };
    if (moves[event.key]) {
      event.preventDefault();
      moves[event.key]();
    }
  }

  plot.tabIndex = 0;
  plot.addEventListener("pointermove", follow);
  plot.addEventListener("pointerdown", follow);
  plot.addEventListener("pointerleave", (event) => {
    // A finger leaves as soon as it is lifted, and what it asked for should stay to be read.
    if (event.pointerType === "mouse") {
      hide();
    }
  });
  plot.addEventListener("keydown", move);
  plot.addEventListener("blur", hide);
  document.addEventListener("pointerdown", (event) => {
    if (!plot.contains(event.target)) {
      hide();
    }
  });
}

/** Switches the layers of all examples of a gallery at once. */
function switchable(root) {
  const views = [...root.querySelectorAll(".views input")];
  const slider = root.querySelector(".opacity input");

  function choose(view) {
    view.checked = true;
    const wanted = view.value;
    root.classList.toggle("stacked", wanted !== "0");
    for (const layer of root.querySelectorAll(".layer")) {
      layer.classList.toggle("shown", layer.dataset.layer === wanted);
    }
    if (slider) {
      slider.disabled = Number(wanted) < 2; // side by side, or the picture alone
    }
  }

  function follow() {
    const asked = new URLSearchParams(location.hash.slice(1)).get("view");
    const found = asked && views.find((v) => v.dataset.view.toLowerCase() === asked.toLowerCase());
    if (found) {
      choose(found);
    }
  }

  for (const view of views) {
    view.addEventListener("change", () => choose(view));
  }
  if (slider) {
    slider.addEventListener("input", () => {
      root.style.setProperty("--opacity", slider.value / 100);
    });
  }
  if (views.length) {
    choose(views.find((view) => view.checked));
    follow();
    addEventListener("hashchange", follow);
  }
  addEventListener("beforeprint", () => root.classList.remove("stacked"));
  addEventListener("afterprint", () => views.filter((view) => view.checked).forEach(choose));
}

document.querySelectorAll(".chart").forEach(readable);
document.querySelectorAll(".gallery").forEach(switchable);

let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open], .screen)")];
  folded.forEach((part) => part.setAttribute("open", ""));
});
addEventListener("afterprint", () => folded.forEach((part) => part.removeAttribute("open")));
