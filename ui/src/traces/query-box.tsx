// The search line: a combobox (ARIA Authoring Practices, 1.2) whose list completes what is typed.

import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { api } from '../api';
import { SearchIcon } from '../components/icons';
import { placeAt, suggest, take, type Place, type Suggestion } from './complete';

interface Props {
  value: string;
  onInput: (text: string) => void;
  onPaste: (event: ClipboardEvent) => void;
}

const pauseMillis = 80;
const source = { tags: api.tags, values: api.tagValues };

interface Offer {
  place: Place;
  list: Suggestion[];
}

export function QueryBox({ value, onInput, onPaste }: Props) {
  const box = useRef<HTMLInputElement>(null);
  const [offer, setOffer] = useState<Offer | null>(null);
  const [active, setActive] = useState(-1);
  const asking = useRef<AbortController | null>(null);
  const id = useId();
  const isOpen = offer !== null && offer.list.length > 0;

  const close = () => {
    asking.current?.abort();
    setOffer(null);
    setActive(-1);
  };
  useEffect(() => () => asking.current?.abort(), []);

  const look = (text: string, caret: number) => {
    asking.current?.abort();
    const place = placeAt(text, caret);
    if (!place) return close();
    const controller = (asking.current = new AbortController());
    const { signal } = controller;
    setTimeout(async () => {
      if (signal.aborted) return;
      try {
        const list = await suggest(place, source, signal);
        if (signal.aborted) return;
        setOffer({ place, list });
        setActive(-1);
      } catch {
        // Completion is a help: without the server's list one types on.
        if (!signal.aborted) close();
      }
    }, pauseMillis);
  };

  const accept = (one: Suggestion) => {
    const element = box.current!;
    const taken = take(value, element.selectionStart ?? value.length, offer!.place, one.insert);
    onInput(taken.text);
    close();
    look(taken.text, taken.caret); // now, so that Escape before the next frame ends it
    requestAnimationFrame(() => {
      element.focus();
      element.setSelectionRange(taken.caret, taken.caret);
    });
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const count = offer?.list.length ?? 0;
    // The browser's own Escape would empty the box.
    if (event.key === 'Escape') close();
    else if (event.key === 'ArrowDown' && isOpen) setActive((active + 1) % count);
    else if (event.key === 'ArrowUp' && isOpen) setActive(active > 0 ? active - 1 : count - 1);
    else if (event.key === 'Enter' && isOpen && active >= 0) accept(offer!.list[active]!);
    else if (event.key === 'Tab' && isOpen && active >= 0) accept(offer!.list[active]!);
    else {
      if (event.key === 'Enter') close();
      return;
    }
    event.preventDefault();
  };

  return (
    <div class="search-box">
      <label class="sr-only" for={`${id}-box`}>
        Search traces
      </label>
      <SearchIcon />
      <input
        ref={box}
        id={`${id}-box`}
        type="search"
        name="q"
        role="combobox"
        aria-autocomplete="list"
        aria-expanded={isOpen}
        aria-controls={`${id}-list`}
        aria-activedescendant={isOpen && active >= 0 ? `${id}-${active}` : undefined}
        spellcheck={false}
        autoComplete="off"
        autoCapitalize="none"
        placeholder="order.id=42 error duration>200ms, { TraceQL }, or a trace id"
        value={value}
        onPaste={onPaste}
        onInput={(event) => {
          const { value: text, selectionStart } = event.currentTarget;
          onInput(text);
          look(text, selectionStart ?? text.length);
        }}
        onKeyDown={onKeyDown}
        onBlur={close}
      />
      <ul
        id={`${id}-list`}
        role="listbox"
        aria-label="Completions"
        class="completions"
        hidden={!isOpen}
      >
        {offer?.list.map((one, i) => (
          <li
            key={i}
            id={`${id}-${i}`}
            role="option"
            aria-selected={i === active}
            onPointerDown={(event) => {
              event.preventDefault(); // the box keeps the focus
              accept(one);
            }}
          >
            <bdi>{one.label}</bdi>
            <span class="muted">{one.detail}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
