// A few dozen row elements that show a window of any number of rows. A row that scrolls out at one
// end is moved to the other end and filled anew, so the elements stay in reading order and their
// number never grows. Nothing here is rendered by Preact: scrolling costs no diff.
//
// The keyboard's focus is on the whole grid, which names the row it is at with
// `aria-activedescendant`; so a row that is recycled takes no focus with it.

import { formatCount, formatDuration, speakDuration } from '../format';
import { boxOf, criticalBoxes, isOutside, ownPieces, shade, spanOffset } from './bar';
import { colourOf } from './colour';
import type { Rows, RowView } from './rows';
import type { TimeWindow } from './time-window';
import { Viewport } from './viewport';

export const rowHeight = 26;
const overscan = 4;
/** So many rows are printed at most: some twenty pages. */
export const printedMax = 1000;
/** A name longer than any screen is cut here; the panel has it whole. */
const labelMax = 512;

interface Slot {
  element: HTMLElement;
  label: HTMLElement;
  /** Whose span it is, in the tree: there no row of the service stands above. */
  owner: HTMLElement;
  marks: HTMLElement;
  timeline: HTMLElement;
  bar: HTMLElement;
  duration: HTMLElement;
  /** The row it shows; -1 none yet. */
  index: number;
  row: RowView | null;
}

/** More events of one span than this have no tick; the panel lists them all. */
export const ticksMax = 256;

/** Events of one span, drawn on its bar. */
export interface OpenEvents {
  /** The row's. */
  key: string;
  ticks: { name: string; afterStartNano: number }[];
}

/** How rows are drawn, besides what they are. */
export interface Drawing {
  window: TimeWindow;
  isCriticalShown: boolean;
  isFound: (row: RowView) => boolean;
  events: OpenEvents | null;
}

export class RowPool {
  #model: Rows | null = null;
  #drawing: Drawing | null = null;
  #slots: Slot[] = [];
  #active = -1;
  #selected = -1;
  #frame = 0;
  #isPrinted = false;
  readonly #resized: ResizeObserver;
  readonly #onScroll = () => this.#schedule();
  readonly #onPrint = ({ type }: Event) => {
    this.#isPrinted = type === 'beforeprint';
    this.#draw();
  };

  /** `grid` scrolls and has the focus; rows are children of `body`; `head` sticks above them. */
  constructor(
    private readonly grid: HTMLElement,
    private readonly body: HTMLElement,
    private readonly head: HTMLElement,
  ) {
    grid.addEventListener('scroll', this.#onScroll, { passive: true });
    this.#resized = new ResizeObserver(() => this.#schedule());
    this.#resized.observe(grid);
    addEventListener('beforeprint', this.#onPrint);
    addEventListener('afterprint', this.#onPrint);
  }

  destroy(): void {
    this.#resized.disconnect();
    removeEventListener('beforeprint', this.#onPrint);
    removeEventListener('afterprint', this.#onPrint);
    this.grid.removeEventListener('scroll', this.#onScroll);
    cancelAnimationFrame(this.#frame);
    for (const slot of this.#slots) slot.element.remove();
    this.#slots = [];
  }

  show(model: Rows, drawing: Drawing): void {
    this.#model = model;
    this.#drawing = drawing;
    for (const slot of this.#slots) slot.index = -1;
    this.#draw();
  }

  mark(active: number, selected: number): void {
    this.#active = active;
    this.#selected = selected;
    for (const slot of this.#slots) this.#fillState(slot);
    this.#nameActive();
  }

  scrollTo(index: number): void {
    if (index < 0) return;
    const view = this.#viewport();
    this.grid.scrollTop = view.scrollTopShowing(index, this.grid.scrollTop);
    this.#draw();
  }

  /** How many whole rows fit. */
  get pageSize(): number {
    return Math.max(1, Math.floor(this.#viewport().viewHeight / rowHeight) - 1);
  }

  #viewport(): Viewport {
    if (this.#isPrinted) {
      const count = Math.min(this.#model?.count ?? 0, printedMax);
      return new Viewport(count, rowHeight, count * rowHeight);
    }
    const viewHeight = Math.max(this.grid.clientHeight - this.head.offsetHeight, rowHeight);
    return new Viewport(this.#model?.count ?? 0, rowHeight, viewHeight);
  }

  #schedule(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    if (!this.#model) return;
    const view = this.#viewport();
    this.body.style.height = `${view.height}px`;
    const scrollTop = this.#isPrinted ? 0 : this.grid.scrollTop;
    const wanted = Math.ceil(view.viewHeight / rowHeight) + 1 + 2 * overscan;
    this.#resize(Math.min(wanted, view.count));
    const last = view.count - this.#slots.length;
    const first = Math.max(0, Math.min(Math.floor(view.topRow(scrollTop)) - overscan, last));
    this.#rotate(first);
    this.#slots.forEach((slot, i) => {
      if (slot.index !== first + i) this.#fill(slot, first + i);
      slot.element.style.transform = `translateY(${view.rowTop(first + i, scrollTop)}px)`;
    });
    this.#nameActive();
  }

  #resize(size: number): void {
    while (this.#slots.length > size) this.#slots.pop()!.element.remove();
    while (this.#slots.length < size) {
      const slot = createSlot();
      this.#slots.push(slot);
      this.body.append(slot.element);
    }
  }

  /** Moves what left at one end to the other, if anything stays in sight. */
  #rotate(first: number): void {
    const before = this.#slots[0]?.index ?? -1;
    const shift = first - before;
    if (before < 0 || shift === 0 || Math.abs(shift) >= this.#slots.length) return;
    if (shift > 0) {
      const left = this.#slots.splice(0, shift);
      this.body.append(...left.map((slot) => slot.element));
      this.#slots.push(...left);
    } else {
      const left = this.#slots.splice(shift);
      this.#slots[0]!.element.before(...left.map((slot) => slot.element));
      this.#slots.unshift(...left);
    }
  }

  #fill(slot: Slot, index: number): void {
    const row = this.#model!.read(index);
    const { element, label, owner, marks, duration } = slot;
    slot.index = index;
    slot.row = row;
    element.id = `row-${index}`;
    element.dataset.index = String(index);
    element.dataset.type = row.type;
    element.dataset.depth = String(row.depth);
    element.dataset.key = row.key;
    element.classList.toggle('is-error', row.isError);
    element.classList.toggle('is-async', row.isAsync);
    element.classList.toggle('is-found', this.#drawing!.isFound(row));
    element.setAttribute('aria-level', String(row.depth + 1));
    element.setAttribute('aria-rowindex', String(index + 2)); // the header is row 1
    element.setAttribute('aria-label', describe(row));
    if (row.hidden === null) element.removeAttribute('aria-expanded');
    else element.setAttribute('aria-expanded', String(row.hidden === 0));
    element.style.setProperty('--service', colourOf(row.service));
    element.style.setProperty('--depth', String(row.depth));
    label.textContent = cut(row.label);
    const isInTree = this.#model!.options.layout === 'tree' && row.type === 'span';
    owner.textContent = isInTree && row.service !== row.label ? cut(row.service) : '';
    fillMarks(marks, row);
    this.#fillBar(slot, row);
    duration.textContent = formatDuration(row.durationNano);
    this.#fillState(slot);
  }

  #fillBar({ timeline, bar }: Slot, row: RowView): void {
    const { window, isCriticalShown, events } = this.#drawing!;
    const { open } = this.#model!;
    const box = boxOf(row.offsetNano, row.offsetNano + Math.max(row.durationNano, 0), window);
    bar.hidden = isOutside(box);
    bar.style.left = `${box.left}%`;
    bar.style.width = `${box.width}%`;
    // A bar that is cut off would squeeze its pieces: its ground is as long as all of it.
    const pieces = row.type === 'span' && !bar.hidden ? shade(ownPieces(open, row.span)) : '';
    const share = (row.durationNano / (window.to - window.from)) * 100 || box.width;
    const before = ((row.offsetNano - window.from) / (window.to - window.from)) * 100 - box.left;
    const isCut = box.width > 0 && Math.abs(share - box.width) > 0.001;
    bar.style.backgroundImage = pieces;
    bar.style.backgroundSize = isCut ? `${(share / box.width) * 100}% 100%` : '';
    const rest = box.width - share;
    bar.style.backgroundPosition = isCut && rest !== 0 ? `${(before / rest) * 100}% 0` : '';
    while (timeline.childElementCount > 1) timeline.lastElementChild!.remove();
    if (isCriticalShown) {
      for (const piece of criticalBoxes(open, row, window)) {
        const line = addTo(timeline, 'wf-critical', piece.left);
        line.style.width = `${piece.width}%`;
      }
    }
    if (events?.key !== row.key) return;
    const start = spanOffset(open, row);
    for (const { name, afterStartNano } of events.ticks) {
      const left = ((start + afterStartNano - window.from) / (window.to - window.from)) * 100;
      if (left >= 0 && left <= 100) addTo(timeline, 'wf-event', left).title = name;
    }
  }

  #fillState(slot: Slot): void {
    slot.element.classList.toggle('is-active', slot.index === this.#active);
    slot.element.setAttribute('aria-selected', String(slot.index === this.#selected));
  }

  #nameActive(): void {
    const shown = this.#slots.some((slot) => slot.index === this.#active);
    if (shown) this.grid.setAttribute('aria-activedescendant', `row-${this.#active}`);
    else this.grid.removeAttribute('aria-activedescendant');
  }
}

function addTo(timeline: HTMLElement, className: string, left: number): HTMLElement {
  const element = document.createElement('span');
  element.className = className;
  element.style.left = `${left}%`;
  timeline.append(element);
  return element;
}

function createSlot(): Slot {
  const make = (tag: string, className: string, role = '') => {
    const element = document.createElement(tag);
    element.className = className;
    if (role) element.setAttribute('role', role);
    return element;
  };
  const element = make('div', 'wf-row', 'row');
  element.dataset.testid = 'row';
  const service = make('div', 'wf-service', 'gridcell');
  const timeline = make('div', 'wf-timeline', 'gridcell');
  const duration = make('div', 'wf-duration', 'gridcell');
  service.dataset.col = 'service';
  timeline.dataset.col = 'timeline';
  duration.dataset.col = 'duration';
  const label = make('bdi', 'wf-label');
  const owner = make('span', 'wf-owner');
  const marks = make('span', 'wf-marks');
  const bar = make('span', 'wf-bar');
  bar.dataset.testid = 'bar';
  service.append(make('span', 'wf-caret'), make('span', 'wf-swatch'), label, owner, marks);
  timeline.append(bar);
  element.append(service, timeline, duration);
  return { element, label, owner, marks, timeline, bar, duration, index: -1, row: null };
}

function fillMarks(marks: HTMLElement, row: RowView): void {
  marks.replaceChildren();
  const add = (className: string, title: string) => {
    const mark = document.createElement('span');
    mark.className = `mark ${className}`;
    mark.title = title;
    mark.setAttribute('role', 'img');
    mark.setAttribute('aria-label', title);
    marks.append(mark);
  };
  if (row.isOrphan) add('mark-orphan', 'parent not received');
  if (row.isError) add('mark-error', row.type === 'service' ? 'error in this service' : 'error');
  if (row.isAsync && row.type === 'span') add('mark-async', 'async: nobody waits for it');
  if (row.hidden === null || row.hidden === 0) return;
  const hidden = document.createElement('span');
  hidden.className = row.hidesError ? 'wf-hidden has-error' : 'wf-hidden';
  hidden.textContent = `+${formatCount(row.hidden)}`;
  hidden.title = row.hidesError ? 'folded away, an error among them' : 'folded away';
  marks.append(hidden);
}

function describe(row: RowView): string {
  const parts = [cut(row.label)];
  if (row.type === 'service') parts.push('service');
  else if (row.type === 'span') parts.push(row.service);
  parts.push(speakDuration(row.durationNano), `starts at ${speakDuration(row.offsetNano)}`);
  if (row.isOrphan) parts.push('parent not received');
  if (row.isError) parts.push('error');
  if (row.isAsync && row.type === 'span') parts.push('async');
  if (row.isCritical) parts.push('on the critical path');
  if (row.hidden) parts.push(`${formatCount(row.hidden)} rows folded away`);
  return parts.join(', ');
}

/** At most labelMax characters, never half of one, and never nothing. */
function cut(text: string): string {
  if (text.trim() === '') return '(no name)';
  if (text.length <= labelMax) return text;
  const code = text.charCodeAt(labelMax - 1);
  const isHalf = code >= 0xd800 && code < 0xdc00;
  return text.slice(0, isHalf ? labelMax - 1 : labelMax) + '…';
}
