/* Inputs and answers as npy files and pictures.
 */
#include "tests/api/judge.h"

#include "lib/data/image.h"
#include "lib/data/npy.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

Suite *suite_infer_formats(void);

static struct client c;
static struct judge judge;

static void setup(void)
{
    judge_open(&judge, &c);
}

static void teardown(void)
{
    judge_close(&judge);
}

/* Parses the reply as npy and compares it. */
static void same_npy(const float *want, size_t B, size_t n)
{
    struct npy a;
    struct err e = {0};
    float got[64];

    ck_assert_str_eq(c.response.content_type, "application/x-npy");
    ck_assert_msg(npy_parse(&a, c.response.body.data, c.response.body.length,
                            &e) == ERR_OK,
                  "%s", e.msg);
    ck_assert_uint_eq(a.rank, 2);
    ck_assert_uint_eq(a.shape[0], B);
    ck_assert_uint_eq(a.shape[1], n);
    npy_to_floats(&a, got);
    ck_assert_mem_eq(got, want, B * n * sizeof *got);
}

START_TEST(npy_comes_back_when_it_is_accepted)
{
    judge_ask(&judge, "small", 2, 0);
    c.request.accept = "application/x-npy";
    ck_assert_int_eq(client_post(&c, SMALL "encode", TWO), 200);
    same_npy(judge.pass.layers[0].z, 2, 5);
    ck_assert_str_eq(client_header(&c, "Sparsed-Version"), "2");
    ck_assert_str_eq(client_header(&c, "Sparsed-Model"), "small");
    ck_assert_int_eq(client_post(&c, SMALL "pool", TWO), 200);
    same_npy(judge.pass.layers[0].v, 2, 5);
    ck_assert_int_eq(client_post(&c, SMALL "classify", TWO), 200);
    same_npy(judge.pass.probabilities, 2, 3);
    ck_assert_int_eq(client_post(&c, SMALL "reconstruct", TWO), 200);
    same_npy(judge.reconstruction, 2, 6);
}
END_TEST

static int send_npy(const char *path, const char *descr, const char *shape,
                    const void *data, size_t bytes)
{
    char file[1024] = "\x93NUMPY\x01";
    size_t at = 10;

    at += (size_t)snprintf(file + at, sizeof file - at,
                           "{'descr': '%s', 'fortran_order': False, "
                           "'shape': (%s), }",
                           descr, shape);
    while ((at + 1) % 64 != 0)
        file[at++] = ' ';
    file[at++] = '\n';
    file[8] = (char)(at - 10);
    memcpy(file + at, data, bytes);
    c.request.content_type = "application/x-npy";
    return client_send(&c, "POST", path, file, at + bytes);
}

START_TEST(npy_goes_in_in_every_shape)
{
    judge_ask(&judge, "small", 2, 0);
    static const char *const shapes[] = {"2,6", "2,2,3"};

    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(send_npy(SMALL "encode?format=dense", "<f4", shapes[i],
                                  judge_inputs, sizeof judge_inputs),
                         200);
        client_same_floats(&c, "codes[1]", judge_code(&judge, 1), 5);
    }
    static const char *const singles[] = {"6,", "2,3", "1,6", "1,2,3"};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(send_npy(SMALL "encode?format=dense", "<f4",
                                  singles[i], judge_inputs, 24),
                         200);
        ck_assert_uint_eq(client_count(&c, "codes"), 1);
    }
}
END_TEST

START_TEST(npy_bytes_are_scaled_to_the_range)
{
    static const uint8_t bytes[] = {0, 255, 51, 102, 153, 204};

    ck_assert_int_eq(
        send_npy("/v1/models/bare/encode?format=dense", "|u1", "6,", bytes, 6),
        200);
    double from_bytes =
        client_number(&c, "codes[0][0]") + client_number(&c, "codes[0][1]") +
        client_number(&c, "codes[0][2]") + client_number(&c, "codes[0][3]");
    ck_assert_int_eq(client_post(&c, "/v1/models/bare/encode",
                                 "{\"inputs\":[[-1,1,-0.6,-0.2,0.2,0.6]],"
                                 "\"format\":\"dense\"}"),
                     200);
    double want =
        client_number(&c, "codes[0][0]") + client_number(&c, "codes[0][1]") +
        client_number(&c, "codes[0][2]") + client_number(&c, "codes[0][3]");
    ck_assert(want != 0);
    near(from_bytes, want, 1e-5);
}
END_TEST

START_TEST(bad_npy_is_refused)
{
    float bad[6] = {0, 0, NAN, 0, 0, 0};

    send_npy(SMALL "encode", "<f4", "6,", bad, sizeof bad);
    client_refused(&c, 422, "inputs[0]: number 2 is not finite");
    send_npy(SMALL "encode", "<f4", "3,2", judge_inputs, 24);
    client_refused(&c, 422, "want an array of shape (B,6) or (B,2,3)");
    send_npy(SMALL "encode", "<f4", "0,6", judge_inputs, 0);
    client_refused(&c, 422, "empty");
    send_npy(SMALL "encode", "<f4", "", judge_inputs, 4);
    client_refused(&c, 422, "shape");
    send_npy(SMALL "encode", "|O", "6,", judge_inputs, 24);
    client_refused(&c, 400, "inputs");
    send_npy(SMALL "encode", "<f4", "6,", judge_inputs, 20);
    client_refused(&c, 400, "inputs");
    c.request.content_type = "application/x-npy";
    client_send(&c, "POST", SMALL "encode", "", 0);
    client_refused(&c, 400, "");
}
END_TEST

START_TEST(npy_codes_are_decoded)
{
    judge_ask(&judge, "small", 2, 0);
    c.request.accept = "application/x-npy";
    float codes[10] = {0, 0, 0, 1, 0, 0, 0, 0, 2, 0};
    ck_assert_int_eq(
        send_npy(SMALL "decode", "<f4", "2,5", codes, sizeof codes), 200);
    struct npy a;
    struct err e;
    float got[12];
    ck_assert_int_eq(
        npy_parse(&a, c.response.body.data, c.response.body.length, &e),
        ERR_OK);
    npy_to_floats(&a, got);
    for (size_t i = 0; i < 6; i++)
        near((double)got[6 + i], 2 * (double)got[i], 1e-6);
}
END_TEST

/* A PNG of the given grey pixels. */
static struct buf make_png(size_t height, size_t width, size_t channels)
{
    struct buf b;
    struct err e = {0};
    uint8_t pixels[64];
    struct image image = {.height = height,
                          .width = width,
                          .channels = channels,
                          .pixels = pixels};

    for (size_t i = 0; i < height * width * channels; i++)
        pixels[i] = (uint8_t)(i * 51 % 256);
    buf_init(&b, 1 << 20);
    ck_assert_msg(image_encode_png(&b, &image, &e) == ERR_OK, "%s", e.msg);
    return b;
}

START_TEST(a_picture_is_one_input)
{
    struct buf png = make_png(2, 3, 1);
    double values[5];

    c.request.content_type = "image/png";
    ck_assert_int_eq(client_send(&c, "POST", SMALL "encode?format=dense",
                                 png.data, png.length),
                     200);
    ck_assert_uint_eq(client_count(&c, "codes"), 1);
    for (size_t i = 0; i < 5; i++) {
        char path[32];
        snprintf(path, sizeof path, "codes[0][%zu]", i);
        values[i] = client_number(&c, path);
    }
    ck_assert_int_eq(client_post(&c, SMALL "encode",
                                 "{\"inputs\":[[[0,0.2,0.4],[0.6,0.8,1]]],"
                                 "\"format\":\"dense\"}"),
                     200);
    for (size_t i = 0; i < 5; i++) {
        char path[32];
        snprintf(path, sizeof path, "codes[0][%zu]", i);
        near(client_number(&c, path), values[i], 1e-6);
    }
    buf_fini(&png);
}
END_TEST

START_TEST(pictures_are_fitted_to_the_model)
{
    struct buf png = make_png(4, 5, 3);

    c.request.content_type = "image/png";
    ck_assert_int_eq(
        client_send(&c, "POST", SMALL "encode", png.data, png.length), 200);
    ck_assert_int_eq(client_send(&c, "POST", "/v1/models/colour/encode",
                                 png.data, png.length),
                     200);
    client_send(&c, "POST", "/v1/models/bare/encode", png.data, png.length);
    client_refused(&c, 422, "vectors of 6 numbers");
    client_send(&c, "POST", SMALL "encode", png.data, png.length / 2);
    client_refused(&c, 400, "body");
    client_send(&c, "POST", SMALL "encode", "no picture", 10);
    client_refused(&c, 400, "body");
    buf_fini(&png);
}
END_TEST

START_TEST(channels_become_planes)
{
    struct buf png = make_png(2, 2, 3);
    double code[4];

    c.request.content_type = "image/png";
    ck_assert_int_eq(client_send(&c, "POST",
                                 "/v1/models/colour/encode?format=dense",
                                 png.data, png.length),
                     200);
    for (size_t i = 0; i < 4; i++) {
        char path[32];
        snprintf(path, sizeof path, "codes[0][%zu]", i);
        code[i] = client_number(&c, path);
    }
    /* Pixel p, channel k is byte 3p+k, that is (3p+k)*51 mod 256. */
    ck_assert_int_eq(
        client_post(&c, "/v1/models/colour/encode?format=dense",
                    "{\"inputs\":[[[[0,0.6],[0.19607843,0.79607843]],"
                    "[[0.2,0.8],[0.39607843,0.99607843]],"
                    "[[0.4,1.0],[0.59607843,0.19215686]]]]}"),
        200);
    for (size_t i = 0; i < 4; i++) {
        char path[32];
        snprintf(path, sizeof path, "codes[0][%zu]", i);
        near(client_number(&c, path), code[i], 1e-5);
    }
    buf_fini(&png);
}
END_TEST

START_TEST(a_reconstruction_comes_as_a_picture)
{
    struct image image = {0};
    struct err e = {0};

    judge_ask(&judge, "small", 1, 0);
    c.request.accept = "image/png";
    ck_assert_int_eq(client_post(&c, SMALL "reconstruct", ONE), 200);
    ck_assert_str_eq(c.response.content_type, "image/png");
    ck_assert_msg(image_decode(&image, c.response.body.data,
                               c.response.body.length, 1, &e) == ERR_OK,
                  "%s", e.msg);
    ck_assert_uint_eq(image.width * 2, image.height * 3);
    size_t zoom = image.height / 2;
    for (size_t i = 0; i < 6; i++) {
        float want = fminf(fmaxf(judge.reconstruction[i], 0), 1) * 255;
        size_t y = i / 3 * zoom, x = i % 3 * zoom;
        near((double)image.pixels[y * image.width + x], (double)want, 1.0);
    }
    image_fini(&image);
    client_post(&c, SMALL "reconstruct", TWO);
    client_refused(&c, 422, "one reconstruction, got 2");
    ck_assert_int_eq(
        client_post(&c, SMALL "decode", "{\"codes\":[[1,0,0,0,0]]}"), 200);
    ck_assert_str_eq(c.response.content_type, "image/png");
}
END_TEST

Suite *suite_infer_formats(void)
{
    Suite *s = suite_create("infer_formats");
    TCase *t = tcase_create("formats");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, npy_comes_back_when_it_is_accepted);
    tcase_add_test(t, npy_goes_in_in_every_shape);
    tcase_add_test(t, npy_bytes_are_scaled_to_the_range);
    tcase_add_test(t, bad_npy_is_refused);
    tcase_add_test(t, npy_codes_are_decoded);
    tcase_add_test(t, a_picture_is_one_input);
    tcase_add_test(t, pictures_are_fitted_to_the_model);
    tcase_add_test(t, channels_become_planes);
    tcase_add_test(t, a_reconstruction_comes_as_a_picture);
    suite_add_tcase(s, t);
    return s;
}
