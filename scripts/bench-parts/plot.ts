/** Bars: what each way costs a node in seconds beyond its own restart and boot, and what it lost. Pure. */
export interface Bar {
  name: string;
  overhead: number;
  lost: number;
  sent: number;
}

const [width, rowHeight, left, right, edge] = [720, 34, 110, 190, 16];

export function plot(bars: Bar[]): string {
  const most = Math.max(0.1, ...bars.map(({ overhead }) => overhead));
  const height = bars.length * rowHeight + 2 * edge + 20;
  const scale = (width - left - right - edge) / most;
  const rows = bars.map(({ name, overhead, lost, sent }, i) => {
    const y = edge + 20 + i * rowHeight;
    const long = Math.max(1, Math.max(0, overhead) * scale);
    const said = `${overhead.toFixed(2)} s, ${lost === 0 ? "nothing lost" : `${lost} of ${sent} lost`}`;
    return [
      `  <text x="${left - 10}" y="${y + 16}" text-anchor="end">${name}</text>`,
      `  <rect x="${left}" y="${y}" width="${long.toFixed(1)}" height="22" rx="3" fill="${lost === 0 ? "#3fb950" : "#f85149"}"/>`,
      `  <text x="${left + long + 8}" y="${y + 16}" fill="#8b949e">${said}</text>`,
    ].join("\n");
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `  <title>${bars.map(({ name, overhead, lost }) => `${name}: ${overhead.toFixed(2)} s a node, ${lost} lost`).join("; ")}</title>`,
    `  <rect width="100%" height="100%" rx="10" fill="#0d1117"/>`,
    `  <g font-family="system-ui, sans-serif" font-size="14" fill="#e6edf3">`,
    `  <text x="${edge}" y="${edge + 8}" fill="#8b949e">seconds a node beyond its own restart and boot; red: requests were lost</text>`,
    ...rows,
    "  </g>",
    "</svg>",
    "",
  ].join("\n");
}
