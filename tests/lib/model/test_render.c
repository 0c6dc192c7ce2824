/* Where the tiles and lines of a picture lie, and what their colours say. */
#include "lib/model/render.h"

#include "lib/model/atoms.h"
#include "lib/model/axes.h"
#include "tests/support/compositions.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static struct arena memory;
static struct err e;
static struct image image;

static void setup(void)
{
    arena_init(&memory, SIZE_MAX);
}

static void teardown(void)
{
    axes_add_test_values(NULL, NULL, NULL);
    image_fini(&image);
    arena_fini(&memory);
}

/* ---- what every composition keeps ---- */

START_TEST(a_layout_keeps_its_tiles_apart)
{
    struct model *m = composition_model((size_t)_i);
    for (size_t layer = 0; layer < m->n_layers; layer++) {
        const struct layer *l = &m->layers[layer];
        size_t n = space_size(&l->shape.cell);
        struct layout out;
        ck_assert(!l->structure.kind->layout(&l->structure, &out, &memory, &e));
        for (size_t i = 0; i < n; i++) {
            struct layout_place a = out.places[i];
            ck_assert(a.x >= 0 && a.y >= 0);
            ck_assert(a.x <= out.width - 1 && a.y <= out.height - 1);
            for (size_t k = 0; k < i; k++) {
                struct layout_place b = out.places[k];
                ck_assert_msg(fmaxf(fabsf(a.x - b.x), fabsf(a.y - b.y)) >
                                  0.9999f,
                              "%s: tiles %zu and %zu overlap",
                              composition_name((size_t)_i), i, k);
            }
        }
        for (size_t i = 0; i < out.n_edges; i++)
            ck_assert(out.edges[i].from < n && out.edges[i].to < n);
    }
    model_free(m);
}
END_TEST

/* That the atom is its part of x, and that x is 0 in all others. */
static void check_part(const struct atoms *a, size_t i, const float *atom,
                       const float *x)
{
    const struct space *s = &a->space, *in = &a->model->input;
    size_t outside = 0;
    for (size_t c = 0; c < in->channels; c++)
        for (size_t y = 0; y < in->height; y++)
            for (size_t k = 0; k < in->width; k++) {
                float value = x[(c * in->height + y) * in->width + k];
                size_t row = y - a->list[i].top, column = k - a->list[i].left;
                bool inside = row < s->height && column < s->width;
                if (inside)
                    near(atom[(c * s->height + row) * s->width + column],
                         (double)value, 1e-5);
                outside += !inside && value != 0.0f;
            }
    ck_assert_uint_eq(outside, 0);
}

START_TEST(an_atom_is_what_its_unit_draws_alone)
{
    struct model *m = composition_model((size_t)_i);
    struct atoms a;
    ck_assert(!atoms_init(&a, m, 0, &memory, &e));
    size_t n = layer_units(&m->layers[0]), size = space_size(&a.space);
    ck_assert_uint_eq(a.n, space_size(&m->layers[0].shape.cell));
    ck_assert_uint_ge(atoms_batch(&a), 1);
    float *atoms = arena_take(&memory, a.n * size, sizeof *atoms);
    float *z = arena_zeroed(&memory, 2 * n, sizeof *z);
    ck_assert(!atoms_draw(&a, 0, 1, atoms, &memory, &e));
    ck_assert(!atoms_draw(&a, 1, a.n - 1, atoms + size, &memory, &e));
    for (size_t i = 0; i < a.n; i++) {
        float x[2 * COMPOSITION_INPUTS], alone[COMPOSITION_INPUTS];
        size_t unit = a.list[i].unit;
        z[unit] = 1;
        ck_assert(!model_decode(m, 0, x, z, NULL, 2, &memory, &e));
        z[unit] = 0;
        for (size_t k = 0; k < COMPOSITION_INPUTS; k++)
            x[k] -= x[COMPOSITION_INPUTS + k];
        ck_assert(!atoms_draw_unit(m, 0, unit, alone, &memory, &e));
        near_all(alone, x, COMPOSITION_INPUTS, 1e-5);
        check_part(&a, i, atoms + i * size, x);
    }
    model_free(m);
}
END_TEST

/* ---- three units on pictures of 4 x 4 ---- */

enum { SIDE = 4, UNITS = 3, ZOOM = 10, STEP = SIDE * ZOOM + 1 };

static enum err_code triangle(const struct structure *s, struct layout *out,
                              struct arena *arena, struct err *err)
{
    static struct layout_place places[UNITS] = {
        {0, 0}, {2.5f, 0}, {1.25f, 1.5f}};
    static struct layout_edge edges[] = {{0, 1}, {2, 0}};
    (void)s, (void)arena, (void)err;
    *out = (struct layout){.width = 3.5f,
                           .height = 2.5f,
                           .places = places,
                           .edges = edges,
                           .n_edges = 2};
    return ERR_OK;
}

/* Unit 0 draws a flat edge, 1 an upright one, 2 nothing but one level. */
static struct model *triangle_model(const char *shape, const char *preprocess)
{
    static struct structure_kind kind;
    char text[400];
    kind = *structures[0];
    kind.name = "triangle";
    kind.layout = triangle;
    axes_add_test_values(NULL, NULL, &kind);
    snprintf(text, sizeof text,
             "{\"input\":{\"shape\":%s},\"preprocess\":%s,\"layers\":[{"
             "\"operator\":\"dense\","
             "\"units\":3,\"encoder\":{\"kind\":\"feedforward\"},"
             "\"structure\":{\"kind\":\"triangle\"}}]}",
             shape, preprocess);
    struct json *j = json_parse(text, strlen(text), &e);
    struct model *m = model_new(j, NULL, 0, &e);
    ck_assert_msg(m != NULL, "%s", e.msg);
    struct rng rng = rng_make(1, "samples", 0);
    float samples[40 * 16];
    for (size_t i = 0; i < 40 * 16; i++)
        samples[i] = rng_uniform(&rng, 0, 1);
    ck_assert_msg(!model_start(m, 1, samples, 40, &e), "%s", e.msg);
    json_free(j);
    float *w = m->layers[0].dec.weight->value;
    for (size_t i = 0; i < model_inputs(m); i++) {
        w[i * UNITS] = i / SIDE < 2 ? 0.1f : -0.1f;
        w[i * UNITS + 1] = i % SIDE < 2 ? 0.3f : -0.3f;
        w[i * UNITS + 2] = 0.2f;
    }
    return m;
}

static const uint8_t *at(double x, double y)
{
    size_t pixel = (size_t)y * image.width + (size_t)x;
    return image.pixels + pixel * image.channels;
}

static void draw(enum render_view view)
{
    struct model *m = triangle_model("[4,4]", "[]");
    struct render_options options = {.view = view, .zoom = ZOOM};
    ck_assert_msg(!render_atoms(m, &options, &image, NULL, &e), "%s", e.msg);
    model_free(m);
}

START_TEST(tiles_lie_where_the_layout_says)
{
    draw(RENDER_ATOMS);
    ck_assert_uint_eq(image.channels, 1);
    ck_assert_uint_eq(image.width, (size_t)ceil(3.5 * STEP) + 1);
    ck_assert_uint_eq(image.height, (size_t)ceil(2.5 * STEP) + 1);
    ck_assert_int_eq(*at(20, 5), 255);
    ck_assert_int_eq(*at(20, 35), 0);
    ck_assert_int_eq(*at(0, image.height - 1), *at(image.width - 1, 0));
    ck_assert_int_eq(*at(2.5 * STEP + 5, 20), 255);
    ck_assert_int_eq(*at(2.5 * STEP + 35, 20), 0);
    ck_assert_int_eq(*at(1.25 * STEP + 20, 1.5 * STEP + 20), 255);
    ck_assert_int_eq(*at(1.25 * STEP - 2, 1.5 * STEP + 20),
                     *at(image.width - 1, image.height - 1));
}
END_TEST

START_TEST(whitened_atoms_are_drawn_as_the_code_has_them)
{
    struct model *m = triangle_model("[4,4]", "[{\"op\":\"whiten\"}]");
    struct render_options options = {.zoom = ZOOM};
    ck_assert_msg(!render_atoms(m, &options, &image, NULL, &e), "%s", e.msg);
    ck_assert_int_eq(*at(20, 5), 255);
    ck_assert_int_eq(*at(20, 35), 0);
    ck_assert_int_eq(*at(2.5 * STEP + 5, 35), 255);
    ck_assert_int_eq(*at(2.5 * STEP + 35, 5), 0);
    model_free(m);
}
END_TEST

START_TEST(edges_are_lines_behind_the_tiles)
{
    draw(RENDER_ATOMS);
    int none = *at(image.width - 1, image.height - 1);
    ck_assert_int_eq(*at(1.75 * STEP, 10), none);
    ck_assert_int_gt(*at(1.75 * STEP, 0.5 * STEP), none + 20);
    ck_assert_int_gt(*at((0.5 + 1.25 / 2) * STEP, (0.5 + 1.5 / 2) * STEP),
                     none + 20);
    for (size_t x = 1; x < STEP; x++)
        ck_assert_int_eq(*at((double)x, 5), 255);
}
END_TEST

START_TEST(orientations_are_colours_that_the_wheel_explains)
{
    draw(RENDER_ORIENTATION);
    ck_assert_uint_eq(image.channels, 3);
    const uint8_t *flat = at(2, 2), *upright = at(2.5 * STEP + 2, 2);
    ck_assert(flat[0] > 200 && flat[1] < 20 && flat[2] < 20);
    ck_assert(upright[0] < 20 && upright[1] > 200 && upright[2] > 200);
    const uint8_t *none = at(1.25 * STEP + 20, 1.5 * STEP + 20);
    ck_assert(none[0] + none[1] + none[2] == 0);
    double x = 48, y = (double)image.height - 48;
    ck_assert_uint_gt((size_t)y, (size_t)(2.5 * STEP));
    for (int side = -1; side <= 1; side += 2) {
        const uint8_t *right = at(x + side * 45, y), *up = at(x, y + side * 45);
        ck_assert(right[0] > 200 && right[1] < 40 && right[2] < 40);
        ck_assert(up[0] < 40 && up[1] > 200 && up[2] > 200);
    }
}
END_TEST

START_TEST(a_line_runs_along_the_stripes)
{
    draw(RENDER_ORIENTATION);
    const uint8_t *flat = at(STEP / 2, STEP / 2);
    ck_assert_int_lt(flat[0], 60);
    ck_assert_int_lt(at(STEP / 2 + 5, STEP / 2)[0], 60);
    ck_assert_int_gt(at(STEP / 2, STEP / 2 + 5)[0], 200);
    ck_assert_int_lt(at(3 * STEP, STEP / 2 + 5)[1], 60);
    ck_assert_int_gt(at(3 * STEP + 5, STEP / 2)[1], 200);
}
END_TEST

START_TEST(only_pictures_have_orientations)
{
    static const char *const shapes[] = {"[16]", "[2,8]"};
    for (size_t i = 0; i < 2; i++) {
        struct model *m = triangle_model(shapes[i], "[]");
        struct render_options options = {.view = RENDER_ORIENTATION};
        ck_assert_int_eq(render_atoms(m, &options, &image, NULL, &e),
                         ERR_CONFLICT);
        ck_assert_msg(strstr(e.msg, "no pictures") != NULL, "%s", e.msg);
        model_free(m);
    }
}
END_TEST

START_TEST(a_picture_keeps_to_its_longest_side)
{
    struct model *m = triangle_model("[4,4]", "[]");
    for (int view = RENDER_ATOMS; view <= RENDER_ORIENTATION; view++)
        for (size_t side = 64; side < 2000; side = side * 3 / 2) {
            struct render_options options = {.view = (enum render_view)view,
                                             .max_side = side};
            ck_assert_msg(!render_atoms(m, &options, &image, NULL, &e), "%s",
                          e.msg);
            ck_assert_uint_le(image.width, side);
            ck_assert_uint_le(image.height, side);
            ck_assert(image.width > side / 2 || side > 200);
            image_fini(&image);
        }
    struct render_options options = {.max_side = 10};
    ck_assert_int_eq(render_atoms(m, &options, &image, NULL, &e),
                     ERR_TOO_LARGE);
    model_free(m);
}
END_TEST

Suite *suite_render(void);
Suite *suite_render(void)
{
    Suite *s = suite_create("render");
    TCase *t = tcase_create("every composition");
    int n = (int)compositions_count();
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, a_layout_keeps_its_tiles_apart, 0, n);
    tcase_add_loop_test(t, an_atom_is_what_its_unit_draws_alone, 0, n);
    suite_add_tcase(s, t);
    t = tcase_create("pictures");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, tiles_lie_where_the_layout_says);
    tcase_add_test(t, whitened_atoms_are_drawn_as_the_code_has_them);
    tcase_add_test(t, edges_are_lines_behind_the_tiles);
    tcase_add_test(t, orientations_are_colours_that_the_wheel_explains);
    tcase_add_test(t, a_line_runs_along_the_stripes);
    tcase_add_test(t, only_pictures_have_orientations);
    tcase_add_test(t, a_picture_keeps_to_its_longest_side);
    suite_add_tcase(s, t);
    return s;
}
