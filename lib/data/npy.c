/* npy: the values; the header's scanner is npy_header.c.
 *
 * An element is first gathered into a 64-bit word, which settles byte order
 * and alignment in one place, and then read as what its kind says. The two
 * kinds that clients send in bulk, little-endian floats and bytes, skip that.
 */
#include "lib/data/npy.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "floats are copied to and from files as they are");

static uint64_t load_word(const struct npy *a, size_t i)
{
    const unsigned char *p = a->data + i * a->item_bytes;
    uint64_t word = 0;
    for (size_t k = 0; k < a->item_bytes; k++)
        word |= (uint64_t)p[a->big_endian ? a->item_bytes - 1 - k : k]
                << (8 * k);
    return word;
}

static int64_t word_signed(const struct npy *a, uint64_t word)
{
    uint64_t sign = (uint64_t)1 << (8 * a->item_bytes - 1);
    uint64_t extended = (word ^ sign) - sign;
    int64_t value;
    memcpy(&value, &extended, sizeof(value));
    return value;
}

/* IEEE 754 binary16. */
static float half_float(uint64_t word)
{
    float sign = (word & 0x8000) != 0 ? -1.0f : 1.0f;
    int exponent = (int)(word >> 10 & 31);
    float fraction = (float)(word & 1023);
    if (exponent == 31)
        return fraction > 0 ? NAN : sign * INFINITY;
    if (exponent == 0)
        return sign * ldexpf(fraction, -24);
    return sign * ldexpf(1024 + fraction, exponent - 25);
}

static float word_float(const struct npy *a, uint64_t word)
{
    float single;
    double wide;
    uint32_t low = (uint32_t)word;
    switch (a->item_bytes) {
    case 2:
        return half_float(word);
    case 4:
        memcpy(&single, &low, sizeof(single));
        return single;
    default:
        memcpy(&wide, &word, sizeof(wide));
        return (float)wide;
    }
}

/* Where the element with row-major index i stands in the file. */
static size_t source_index(const struct npy *a, size_t i)
{
    if (!a->fortran_order)
        return i;
    size_t stride = a->count;
    size_t source = 0;
    for (size_t k = a->rank; k-- > 0;) {
        stride /= a->shape[k];
        source += i % a->shape[k] * stride;
        i /= a->shape[k];
    }
    return source;
}

bool npy_is_bytes(const struct npy *a)
{
    return a->kind == NPY_UNSIGNED && a->item_bytes == 1;
}

void npy_to_bytes(const struct npy *a, uint8_t *out)
{
    assert(npy_is_bytes(a));
    if (!a->fortran_order && a->count > 0)
        memcpy(out, a->data, a->count);
    else
        for (size_t i = 0; i < a->count; i++)
            out[i] = a->data[source_index(a, i)];
}

static float element_float(const struct npy *a, size_t i)
{
    uint64_t word = load_word(a, source_index(a, i));
    float single;
    uint32_t low;
    switch (a->kind) {
    case NPY_FLOAT:
        return word_float(a, word);
    case NPY_SIGNED:
        return (float)word_signed(a, word);
    case NPY_UNSIGNED:
        return (float)word;
    case NPY_BOOL:
        return word != 0 ? 1.0f : 0.0f;
    case NPY_BFLOAT:
        low = (uint32_t)word << 16;
        memcpy(&single, &low, sizeof(single));
        return single;
    case NPY_TEXT:
    case NPY_BYTES:
        break;
    }
    return 0.0f;
}

void npy_to_floats(const struct npy *a, float *out)
{
    assert(!npy_is_text(a));
    if (a->count == 0)
        return;
    if (a->kind == NPY_FLOAT && a->item_bytes == 4 && !a->big_endian &&
        !a->fortran_order)
        memcpy(out, a->data, a->count * sizeof(*out));
    else if (npy_is_bytes(a) && !a->fortran_order)
        for (size_t i = 0; i < a->count; i++)
            out[i] = (float)a->data[i];
    else
        for (size_t i = 0; i < a->count; i++)
            out[i] = element_float(a, i);
}

enum err_code npy_to_int64(const struct npy *a, long long *out, struct err *e)
{
    assert(!npy_is_text(a));
    if (a->kind == NPY_FLOAT || a->kind == NPY_BFLOAT)
        return err_set(e, ERR_INVALID, "want integers, got floats of %zu bytes",
                       a->item_bytes);
    for (size_t i = 0; i < a->count; i++) {
        uint64_t word = load_word(a, source_index(a, i));
        if (a->kind == NPY_SIGNED)
            out[i] = word_signed(a, word);
        else if (a->kind == NPY_BOOL)
            out[i] = word != 0;
        else if (word <= LLONG_MAX)
            out[i] = (long long)word;
        else
            return err_set(e, ERR_INVALID,
                           "element %zu is over the largest int64", i);
    }
    return ERR_OK;
}

enum err_code npy_set_count(struct npy *a, size_t data_bytes, struct err *e)
{
    size_t count = a->item_bytes;
    bool empty = false;
    for (size_t k = 0; k < a->rank; k++) {
        empty = empty || a->shape[k] == 0;
        size_t size = a->shape[k] == 0 ? 1 : a->shape[k];
        if (__builtin_mul_overflow(count, size, &count))
            return err_set(e, ERR_INVALID,
                           "the product of the sizes overflows");
    }
    size_t want = empty ? 0 : count;
    if (data_bytes != want)
        return err_set(e, ERR_INVALID,
                       "sizes and type want %zu bytes of data, the file has "
                       "%zu",
                       want, data_bytes);
    a->count = want / a->item_bytes;
    return ERR_OK;
}

/* ---- writing ---- */

#define PREFIX_BYTES 10 /* magic, version, header length */
#define ALIGN_BYTES 64
#define DICT_MAX_BYTES 512 /* eight sizes of 20 digits, and the words */

void npy_print_header(struct buf *b, const char *descr, const size_t *shape,
                      size_t rank)
{
    assert(rank <= NPY_MAX_RANK);
    struct buf text;
    buf_init(&text, DICT_MAX_BYTES);
    buf_printf(&text, "{'descr': '%s', 'fortran_order': False, 'shape': (",
               descr);
    for (size_t k = 0; k < rank; k++)
        buf_printf(&text, k == 0 ? "%zu" : ", %zu", shape[k]);
    buf_text(&text, rank == 1 ? ",), }" : "), }");
    while ((PREFIX_BYTES + text.length + 1) % ALIGN_BYTES != 0 &&
           !buf_failed(&text))
        buf_char(&text, ' ');
    buf_char(&text, '\n');

    const unsigned char prefix[PREFIX_BYTES] = {
        0x93,
        'N',
        'U',
        'M',
        'P',
        'Y',
        1,
        0,
        (unsigned char)(text.length & 255),
        (unsigned char)(text.length >> 8)};
    if (buf_failed(&text))
        b->failed = true;
    buf_add(b, prefix, sizeof(prefix));
    buf_add(b, text.data, text.length);
    buf_fini(&text);
}

static void print_array(struct buf *b, const char *descr, const size_t *shape,
                        size_t rank, const void *data, size_t item_bytes)
{
    size_t count = 1;
    for (size_t k = 0; k < rank; k++)
        count *= shape[k];
    npy_print_header(b, descr, shape, rank);
    buf_add(b, data, count * item_bytes);
}

void npy_print_floats_header(struct buf *b, const size_t *shape, size_t rank)
{
    npy_print_header(b, "<f4", shape, rank);
}

void npy_print_floats(struct buf *b, const size_t *shape, size_t rank,
                      const float *data)
{
    print_array(b, "<f4", shape, rank, data, sizeof(*data));
}

void npy_print_int64(struct buf *b, const size_t *shape, size_t rank,
                     const long long *data)
{
    print_array(b, "<i8", shape, rank, data, sizeof(*data));
}
