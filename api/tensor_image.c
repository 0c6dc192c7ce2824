/* Picture bodies: decoded, resized to the model's height and width, and turned
 * from interleaved bytes into planes of floats in its range.
 */
#include "api/tensor.h"

#include "lib/data/image.h"

static enum err_code read_pixels(struct tensor *r, const struct image *image,
                                 struct err *e)
{
    size_t area = image->height * image->width;
    float range = r->high - r->low;

    if (tensor_take(r, 1, e) != ERR_OK)
        return e->code;
    for (size_t c = 0; c < image->channels; c++) {
        const uint8_t *pixel = image->pixels + c;
        for (size_t i = 0; i < area; i++)
            r->data[c * area + i] =
                r->low + range * ((float)pixel[i * image->channels] / 255.0f);
    }
    return ERR_OK;
}

enum err_code tensor_read_image(struct tensor *r, const char *bytes,
                                size_t length, struct err *e)
{
    struct image whole = {0}, fitted = {0};
    size_t channels = r->rank == 3 ? r->shape[0] : 1;

    if (r->rank < 2 || (channels != 1 && channels != 3))
        return err_set(e, ERR_SHAPE,
                       "this model takes vectors of %zu numbers, not pictures: "
                       "send JSON or npy",
                       r->size);
    size_t height = r->shape[r->rank - 2];
    size_t width = r->shape[r->rank - 1];
    if (image_decode(&whole, bytes, length, channels, e) != ERR_OK)
        return err_wrap(e, "body");
    bool fits = whole.height == height && whole.width == width;
    enum err_code code = ERR_OK;
    if (!fits)
        code = image_resize(&fitted, &whole, height, width, e);
    if (code == ERR_OK)
        code = read_pixels(r, fits ? &whole : &fitted, e);
    image_fini(&whole);
    image_fini(&fitted);
    return code;
}
