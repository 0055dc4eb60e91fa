// Holds the tokens of theme.css to WCAG AA, and the services' colours apart for colour-blind eyes.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const css = readFileSync(new URL('../src/styles/theme.css', import.meta.url), 'utf8');

function tokens(theme) {
  const block = css.slice(css.indexOf(`[data-theme='${theme}']`)).split('}')[0];
  return Object.fromEntries(
    [...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((m) => [m[1], m[2]]),
  );
}

function linear(hex) {
  return [1, 3, 5]
    .map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
}

function contrast(a, b) {
  const [x, y] = [a, b]
    .map(linear)
    .map(([r, g, bl]) => 0.2126 * r + 0.7152 * g + 0.0722 * bl + 0.05);
  return Math.max(x / y, y / x);
}

function oklab([r, g, b]) {
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

// Machado, Oliveira, Fernandes 2009, severity 1.
const eyes = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protan: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deutan: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
};

const seen = (rgb, eye) =>
  eye.map((row) => Math.min(1, Math.max(0, row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2])));

for (const theme of ['light', 'dark']) {
  const token = tokens(theme);
  const services = Array.from({ length: 12 }, (_, i) => token[`service-${i}`]);

  test(`${theme}: text is at 4.5:1 on every ground it stands on`, () => {
    const grounds = ['bg', 'surface', 'raised', 'hover', 'selected'];
    for (const text of ['text', 'muted', 'accent', 'error', 'warning', 'good']) {
      for (const ground of grounds) {
        const ratio = contrast(token[text], token[ground]);
        assert.ok(ratio >= 4.5, `${text} on ${ground}: ${ratio.toFixed(2)}`);
      }
    }
    for (const level of ['error', 'warning', 'good']) {
      assert.ok(contrast(token[level], token[`${level}-bg`]) >= 4.5, level);
      assert.ok(contrast(token.text, token[`${level}-bg`]) >= 4.5, level);
    }
    assert.ok(contrast(token['accent-text'], token.accent) >= 4.5);
  });

  test(`${theme}: bars and the edges of fields are at 3:1`, () => {
    for (const colour of [...services, token['field-line']]) {
      for (const ground of ['bg', 'surface']) {
        const ratio = contrast(colour, token[ground]);
        assert.ok(ratio >= 3, `${colour} on ${ground}: ${ratio.toFixed(2)}`);
      }
    }
  });

  test(`${theme}: any two services differ, for colour-blind eyes too`, () => {
    for (const [name, eye] of Object.entries(eyes)) {
      const labs = services.map((hex) => oklab(seen(linear(hex), eye)));
      for (let i = 0; i < 12; i++) {
        for (let j = 0; j < i; j++) {
          const distance = Math.hypot(...labs[i].map((v, k) => v - labs[j][k]));
          assert.ok(
            distance > 0.05,
            `${name}: ${services[i]} ${services[j]} ${distance.toFixed(3)}`,
          );
        }
      }
    }
  });
}
