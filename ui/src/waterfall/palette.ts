// The theme's colours for a canvas, which knows no CSS.

import type { ServiceCount } from '../api';
import { colourIndex } from './colour';

export interface Palette {
  /** By service, as pixels of an ImageData are on a little-endian machine: ABGR. */
  colours: Uint32Array;
  error: number;
}

export const token = (name: string) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function paletteOf(services: ServiceCount[]): Palette {
  const twelve = Array.from({ length: 12 }, (_, i) => pixelOf(token(`--service-${i}`)));
  return {
    colours: Uint32Array.from(services, ({ name }) => twelve[colourIndex(name)]!),
    error: pixelOf(token('--error')),
  };
}

function pixelOf(hex: string): number {
  const rgb = parseInt(hex.slice(1), 16);
  const [red, green, blue] = [rgb >> 16, (rgb >> 8) & 255, rgb & 255];
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Black or white, whichever stands out more (WCAG's relative luminance). */
export function textOn(hex: string): string {
  const rgb = parseInt(hex.slice(1), 16);
  const [red, green, blue] = [rgb >> 16, (rgb >> 8) & 255, rgb & 255].map((part) => {
    const c = part / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  return (luminance + 0.05) ** 2 > 1.05 * 0.05 ? '#000000' : '#ffffff';
}
