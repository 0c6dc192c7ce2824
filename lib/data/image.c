/* Pictures through libpng's simplified interface and TurboJPEG; the only file
 * that knows either. Resizing is image_resize.c.
 *
 * libpng turns colour into grey, and lays transparency on a ground, in linear
 * light; JPEG's grey is the luma of the coded values. So that a picture gives
 * the same numbers in both formats, PNG colour and transparency are decoded
 * as they are and flattened here.
 */
#include "lib/data/image.h"

#include "lib/base/mem.h"

#include <assert.h>
#include <png.h>
#include <string.h>
#include <turbojpeg.h>

bool image_is_png(const void *bytes, size_t length)
{
    return length >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0;
}

bool image_is_jpeg(const void *bytes, size_t length)
{
    return length >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0;
}

void image_fini(struct image *image)
{
    mem_free(image->pixels);
    *image = (struct image){0};
}

static enum err_code check_size(size_t height, size_t width, struct err *e)
{
    if (height == 0 || width == 0)
        return err_set(e, ERR_INVALID, "picture without pixels");
    if (height > IMAGE_MAX_SIDE || width > IMAGE_MAX_SIDE ||
        height * width > IMAGE_MAX_PIXELS)
        return err_set(e, ERR_TOO_LARGE,
                       "picture of %zu x %zu (width x height) pixels: at most "
                       "%d a side and %zu in all",
                       width, height, IMAGE_MAX_SIDE, IMAGE_MAX_PIXELS);
    return ERR_OK;
}

static uint8_t *new_pixels(size_t height, size_t width, size_t channels,
                           struct err *e)
{
    uint8_t *pixels = mem_raw(height * width * channels);
    if (pixels == NULL)
        err_set(e, ERR_NO_MEMORY, "no memory for a picture of %zu x %zu", width,
                height);
    return pixels;
}

/* ---- PNG ---- */

static enum err_code open_png(png_image *png, const void *bytes, size_t length,
                              struct err *e)
{
    *png = (png_image){.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_memory(png, bytes, length))
        return err_set(e, ERR_INVALID, "damaged PNG: %s", png->message);
    /* Or 16-bit samples without a stated gamma would be taken as linear. */
    png->flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    enum err_code code = check_size(png->height, png->width, e);
    if (code != ERR_OK)
        png_image_free(png);
    return code;
}

/* Whether it has to go through `flatten`. */
static bool is_layered(const png_image *png)
{
    return (png->format & (PNG_FORMAT_FLAG_COLOR | PNG_FORMAT_FLAG_ALPHA)) != 0;
}

/* n pixels R,G,B,A onto black. */
static void flatten(uint8_t *out, size_t channels, const uint8_t *rgba,
                    size_t n)
{
    for (size_t i = 0; i < n; i++, rgba += 4, out += channels) {
        unsigned colour[3];
        for (size_t c = 0; c < 3; c++)
            colour[c] = (rgba[c] * rgba[3] + 127u) / 255u;
        if (channels == 1)
            out[0] = (uint8_t)((299 * colour[0] + 587 * colour[1] +
                                114 * colour[2] + 500) /
                               1000);
        else
            for (size_t c = 0; c < 3; c++)
                out[c] = (uint8_t)colour[c];
    }
}

static enum err_code finish_png(png_image *png, void *pixels, struct err *e)
{
    if (!png_image_finish_read(png, NULL, pixels, 0, NULL))
        return err_set(e, ERR_INVALID, "damaged PNG: %s", png->message);
    return ERR_OK;
}

static enum err_code decode_layered(png_image *png, struct image *out,
                                    struct err *e)
{
    png->format = PNG_FORMAT_RGBA;
    uint8_t *rgba = new_pixels(out->height, out->width, 4, e);
    if (rgba == NULL)
        return e->code;
    enum err_code code = finish_png(png, rgba, e);
    if (code == ERR_OK)
        flatten(out->pixels, out->channels, rgba, out->height * out->width);
    mem_free(rgba);
    return code;
}

static enum err_code decode_png(struct image *out, const void *bytes,
                                size_t length, struct err *e)
{
    png_image png;
    if (open_png(&png, bytes, length, e) != ERR_OK)
        return e->code;
    out->height = png.height;
    out->width = png.width;
    out->pixels = new_pixels(out->height, out->width, out->channels, e);
    enum err_code code = ERR_NO_MEMORY;
    if (out->pixels != NULL && is_layered(&png)) {
        code = decode_layered(&png, out, e);
    } else if (out->pixels != NULL) {
        png.format = out->channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
        code = finish_png(&png, out->pixels, e);
    }
    png_image_free(&png);
    return code;
}

static enum err_code probe_png(struct image *out, const void *bytes,
                               size_t length, struct err *e)
{
    png_image png;
    if (open_png(&png, bytes, length, e) != ERR_OK)
        return e->code;
    out->height = png.height;
    out->width = png.width;
    out->channels = (png.format & PNG_FORMAT_FLAG_COLOR) != 0 ? 3 : 1;
    png_image_free(&png);
    return ERR_OK;
}

enum err_code image_encode_png(struct buf *out, const struct image *image,
                               struct err *e)
{
    assert(image->channels == 1 || image->channels == 3);
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)image->width,
                     .height = (png_uint_32)image->height,
                     .format = image->channels == 1 ? PNG_FORMAT_GRAY
                                                    : PNG_FORMAT_RGB};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
    char *file = mem_raw(size);
    if (file == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for a picture");
    enum err_code code = ERR_OK;
    if (!png_image_write_to_memory(&png, file, &size, 0, image->pixels, 0,
                                   NULL))
        code = err_set(e, ERR_NO_MEMORY, "PNG: %s", png.message);
    else
        buf_add(out, file, size);
    mem_free(file);
    if (code == ERR_OK && buf_failed(out))
        code = err_set(e, ERR_TOO_LARGE, "a picture of %zu bytes does not fit",
                       (size_t)size);
    return code;
}

/* ---- JPEG ---- */

/* Reads the header into *out (no pixels). */
static enum err_code read_jpeg_header(tjhandle jpeg, struct image *out,
                                      const void *bytes, size_t length,
                                      struct err *e)
{
    /* A stream of tables alone is a success that leaves these as they are. */
    int width = 0, height = 0, subsampling = 0, colours = TJCS_GRAY;
    if (tjDecompressHeader3(jpeg, bytes, length, &width, &height, &subsampling,
                            &colours) != 0)
        return err_set(e, ERR_INVALID, "damaged JPEG: %s",
                       tjGetErrorStr2(jpeg));
    if (width < 1 || height < 1)
        return err_set(e, ERR_INVALID, "damaged JPEG: no picture in it");
    if (colours == TJCS_CMYK || colours == TJCS_YCCK)
        return err_set(e, ERR_INVALID,
                       "JPEG in CMYK colours: want grey or RGB");
    out->height = (size_t)height;
    out->width = (size_t)width;
    out->channels = colours == TJCS_GRAY ? 1 : 3;
    return check_size(out->height, out->width, e);
}

/* The header of a JPEG and, if channels is not 0, its pixels. */
static enum err_code read_jpeg(struct image *out, const void *bytes,
                               size_t length, size_t channels, struct err *e)
{
    tjhandle jpeg = tjInitDecompress();
    if (jpeg == NULL)
        return err_set(e, ERR_NO_MEMORY, "JPEG: out of memory");
    enum err_code code = read_jpeg_header(jpeg, out, bytes, length, e);
    if (code == ERR_OK && channels > 0) {
        out->channels = channels;
        out->pixels = new_pixels(out->height, out->width, channels, e);
        code = out->pixels != NULL ? ERR_OK : e->code;
    }
    if (code == ERR_OK && channels > 0 &&
        tjDecompress2(jpeg, bytes, length, out->pixels, (int)out->width, 0,
                      (int)out->height, channels == 1 ? TJPF_GRAY : TJPF_RGB,
                      TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING |
                          TJFLAG_LIMITSCANS) != 0)
        code =
            err_set(e, ERR_INVALID, "damaged JPEG: %s", tjGetErrorStr2(jpeg));
    tjDestroy(jpeg);
    return code;
}

/* ---- both ---- */

static enum err_code refuse_format(struct err *e)
{
    return err_set(e, ERR_INVALID, "neither PNG nor JPEG");
}

enum err_code image_probe(struct image *out, const void *bytes, size_t length,
                          struct err *e)
{
    *out = (struct image){0};
    enum err_code code;
    if (image_is_png(bytes, length))
        code = probe_png(out, bytes, length, e);
    else if (image_is_jpeg(bytes, length))
        code = read_jpeg(out, bytes, length, 0, e);
    else
        code = refuse_format(e);
    if (code != ERR_OK)
        image_fini(out);
    return code;
}

enum err_code image_decode(struct image *out, const void *bytes, size_t length,
                           size_t channels, struct err *e)
{
    assert(channels == 1 || channels == 3);
    *out = (struct image){.channels = channels};
    enum err_code code;
    if (image_is_png(bytes, length))
        code = decode_png(out, bytes, length, e);
    else if (image_is_jpeg(bytes, length))
        code = read_jpeg(out, bytes, length, channels, e);
    else
        code = refuse_format(e);
    if (code != ERR_OK)
        image_fini(out);
    return code;
}
