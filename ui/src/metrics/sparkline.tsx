// A few dozen numbers as a line as high as the text. It has no axes: the number stands beside it.

interface Props {
  values: (number | null)[];
  colour: string;
}

const width = 100;
const height = 20;

/** The line in SVG's words; a null is a gap, a lonely value a dot's width. */
export function sparkPath(values: (number | null)[]): string {
  const most = Math.max(...values.map((value) => value ?? 0), 0) || 1;
  const step = values.length > 1 ? width / (values.length - 1) : width;
  let path = '';
  let open = false;
  values.forEach((value, i) => {
    if (value === null) {
      open = false;
      return;
    }
    const at = `${(i * step).toFixed(1)} ${(height - 1 - (value / most) * (height - 2)).toFixed(1)}`;
    path += open ? `L${at}` : `M${at}`;
    if (!open && (values[i + 1] ?? null) === null) path += 'h2';
    open = true;
  });
  return path;
}

export function Sparkline({ values, colour }: Props) {
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      aria-hidden="true"
      style={{ color: colour }}
    >
      <path d={sparkPath(values)} />
    </svg>
  );
}
