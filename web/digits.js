/* Ten digits as strokes of a pen on a paper of 100 x 100. */
const DIGITS = [
  "5418 4022 3036 2754 3272 4582 5979 6965 7248 6830 5820 4819",
  "4131 5024 5517 5434 5252 5168 5084",
  "2934 3422 4716 6020 6532 6046 4860 3672 2782 4080 5681 7382",
  "3124 4417 5920 6432 5743 4548 5851 6862 6476 5084 3581 2774",
  "3718 3334 2950 4252 5851 7349;6222 6040 5860 5684",
  "6918 5418 3819 3634 3446 4842 6246 6959 6574 5183 3681 2874",
  "6116 4726 3642 3160 3576 4884 6279 6766 5955 4655 3566",
  "2821 4220 5719 7118 6432 5748 5164 4684",
  "6226 5017 3824 3936 5046 6257 6670 5782 4383 3472 3958 5247 6336 6327",
  "6430 5419 4023 3437 4248 5547 6436 6628 6546 6164 5584",
];

/* Strokes in units of the paper, slanted and turned at random, with corners
 * cut for a smooth and even pen. */
export function strokesOf(digit) {
  const any = (range) => (2 * Math.random() - 1) * range;
  const slant = any(0.2), turn = any(0.08);
  const vary = ([x, y]) => [(+x - slant * (y - 50)) / 100,
                            (+y + turn * (x - 50)) / 100];
  return DIGITS[digit].split(";").map((stroke) => {
    const points = stroke.split(" ").map((pair) => vary(pair.match(/../g)));
    return points.slice(1).flatMap(([a, b], i) => {
      const [x, y] = points[i];
      return [0.2, 0.8].map((t) => [x + (a - x) * t, y + (b - y) * t]);
    });
  });
}
