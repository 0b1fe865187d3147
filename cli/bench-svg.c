/* SPDX-License-Identifier: MIT */
/*
 * aioevt bench: the histogram as a picture. Both axes are logarithmic, or else nothing of the
 * rare and slow ones would be seen.
 */
#include "bench.h"

#define LEFT	72.0
#define RIGHT	696.0
#define TOP	76.0
#define BOTTOM	340.0

struct picture {
	FILE *out;
	double from, to;	/* ns: the ends of the horizontal axis */
	double least;		/* share: the lower end of the vertical one */
};

/* Within 1 %, and without a library for it. */
static double about_log2(double x)
{
	double n = 0;

	for (; x >= 2; x /= 2)
		n++;
	for (; x < 1; x *= 2)
		n--;
	return n + (x * (6 - x) - 5) / 3;
}

static double place(const struct picture *pic, double ns)
{
	return LEFT + (RIGHT - LEFT) * about_log2(ns / pic->from) / about_log2(pic->to / pic->from);
}

static double height(const struct picture *pic, double share)
{
	if (share < pic->least)
		return BOTTOM;
	return BOTTOM - (BOTTOM - TOP) * about_log2(share / pic->least) / about_log2(1 / pic->least);
}

/* From the first of both to the last of both, by doublings. */
static void find_axes(struct picture *pic, const struct bench_area *area)
{
	uint64_t first = histogram_quantile(&area->wake, 0), last = area->wake.max;
	uint64_t raw_first = histogram_quantile(&area->raw_wake, 0), n = area->wake.n;

	if (raw_first < first)
		first = raw_first;
	if (area->raw_wake.max > last)
		last = area->raw_wake.max;
	if (area->raw_wake.n > n)
		n = area->raw_wake.n;
	for (pic->from = 256; 2 * pic->from < (double)first; )
		pic->from *= 2;
	for (pic->to = 2 * pic->from; pic->to <= (double)last; )
		pic->to *= 2;
	for (pic->least = .1; pic->least * (double)n > 1; )
		pic->least /= 10;
}

/* ---- drawing -------------------------------------------------------------------- */

static void draw_time_axis(const struct picture *pic)
{
	static const char *const zeros[] = { "", "0", "00" };
	static const char *const units[] = { "ns", "us", "ms", "s" };
	unsigned i = 0;

	for (double ns = 1; ns <= pic->to && i < 12; ns *= 10, i++) {
		if (ns < pic->from)
			continue;
		fprintf(pic->out, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>\n"
			"<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">1%s %s</text>\n",
			place(pic, ns), TOP, BOTTOM, place(pic, ns), BOTTOM + 18, zeros[i % 3],
			units[i / 3]);
	}
	fprintf(pic->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">time from the call "
		"until the other process runs (logarithmic)</text>\n", (LEFT + RIGHT) / 2,
		BOTTOM + 40);
}

static void draw_share_axis(const struct picture *pic)
{
	double middle = (TOP + BOTTOM) / 2;

	for (double share = 1; share >= pic->least * .99; share /= 10)
		fprintf(pic->out, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n"
			"<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%g %%</text>\n",
			LEFT, height(pic, share), RIGHT, LEFT - 6, height(pic, share) + 4,
			share * 100);
	fprintf(pic->out, "<text transform=\"translate(14 %.1f) rotate(-90)\" "
		"text-anchor=\"middle\">share (logarithmic)</text>\n", middle);
}

static void draw_histogram(const struct picture *pic, const struct histogram *histogram,
			   const char *class)
{
	fprintf(pic->out, "<path class=\"%s\" d=\"M%.1f %.1f", class, LEFT, BOTTOM);
	for (uint64_t octave = (uint64_t)pic->from; octave < (uint64_t)pic->to; octave *= 2)
		for (uint64_t i = 0; i < 8; i++) {
			uint64_t from = octave + i * octave / 8, to = from + octave / 8;
			double share = (double)histogram_count(histogram, from, to) /
				       (double)histogram->n;

			fprintf(pic->out, "V%.1fH%.1f", height(pic, share),
				place(pic, (double)to));
		}
	fprintf(pic->out, "V%.1fZ\"/>\n", BOTTOM);
}

static void draw_legend(const struct picture *pic, const struct histogram *histogram,
			const char *class, const char *name, double y)
{
	char p50[32], p99[32], max[32];

	bench_print_time((double)histogram_quantile(histogram, .5), p50, sizeof(p50));
	bench_print_time((double)histogram_quantile(histogram, .99), p99, sizeof(p99));
	bench_print_time((double)histogram->max, max, sizeof(max));
	fprintf(pic->out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"9\"/>\n"
		"<text x=\"%.1f\" y=\"%.1f\">%s: half within %s, 99 %% within %s, longest %s"
		"</text>\n", class, LEFT, y - 9, LEFT + 18, y, name, p50, p99, max);
}

/* Readable on light and dark: it has a ground of its own, dark where that is preferred. */
static const char head[] =
	"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"400\" "
	"viewBox=\"0 0 720 400\" role=\"img\">\n"
	"<title>aioevt bench: waking a process that sleeps</title>\n"
	"<desc>How many wakes took how long, through aioevt and by a bare futex.</desc>\n"
	"<style>\n"
	"svg{background:#fff}\n"
	".ground{fill:#fff}\n"
	"text{font:12px sans-serif;fill:#222}\n"
	".name{font-size:15px;font-weight:bold}\n"
	".grid{stroke:#ddd;fill:none}\n"
	".ours{fill:#3b7dd8;fill-opacity:.55;stroke:#3b7dd8}\n"
	".raw{fill:none;stroke:#d9622b;stroke-width:1.5}\n"
	"@media (prefers-color-scheme:dark){\n"
	"svg{background:#16181c}\n"
	".ground{fill:#16181c}\n"
	"text{fill:#e6e6e6}\n"
	".grid{stroke:#3a3d44}\n"
	"}\n"
	"</style>\n"
	"<rect class=\"ground\" width=\"720\" height=\"400\"/>\n";

void bench_print_svg(FILE *out, const struct bench *bench)
{
	const struct bench_area *area = bench->area;
	struct picture pic = { .out = out };

	find_axes(&pic, area);
	fputs(head, out);
	fprintf(out, "<text class=\"name\" x=\"%.1f\" y=\"24\">Waking a process that sleeps"
		"</text>\n", LEFT);
	draw_legend(&pic, &area->wake, "ours", "aioevt", 44);
	draw_legend(&pic, &area->raw_wake, "raw", "bare futex", 62);
	draw_share_axis(&pic);
	draw_time_axis(&pic);
	draw_histogram(&pic, &area->wake, "ours");
	draw_histogram(&pic, &area->raw_wake, "raw");
	fputs("</svg>\n", out);
}
