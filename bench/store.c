/* store: durable posts a second, beside one fsync each.
 *
 *   store FOLDER   (an empty one, on the disk that is meant)
 *
 * A post is one row of MNIST's size, told to its thread only when it is on
 * disk. The peer appends the same row to a file and calls fsync, one thread.
 * Both take turns for some rounds; printed are medians, their spread, and the
 * median of the ratios round by round.
 */
#include "lib/store/store.h"
#include "lib/base/clock.h"
#include "lib/base/lock.h"
#include "lib/store/samples.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 784, ROUNDS = 5, MOST_THREADS = 64 };

#define ROUND_TIME ((usec)300 * 1000)

struct bench {
    struct store *store;
    int file; /* of the peer */
    usec until;
    atomic_ulong posts;
};

struct post {
    struct store_work work; /* first */
    float x[SIZE];
    int64_t batch, id;
};

static void die(const char *why)
{
    fprintf(stderr, "store: %s\n", why);
    exit(EXIT_FAILURE);
}

static enum err_code add(struct store_work *w, struct database *db,
                         struct err *e)
{
    static const struct samples_limits limits = {.max_samples = 1000000,
                                                 .max_labels = 10};
    static const char *const label = "7";
    struct post *p = (struct post *)w;
    const struct samples_batch b = {.model = "mnist",
                                    .n = 1,
                                    .size = SIZE,
                                    .x = p->x,
                                    .labels = &label,
                                    .wall_ms = 1};

    return samples_add(db, &b, &limits, &p->batch, &p->id, e);
}

static void *post_rows(void *arg)
{
    struct bench *b = arg;
    struct post p = {.work = {.run = add, .bytes = sizeof p.x}};
    struct err e;

    while (clock_now() < b->until) {
        if (store_write(b->store, &p.work, &e) != ERR_OK)
            die(e.msg);
        atomic_fetch_add(&b->posts, 1);
    }
    return NULL;
}

/* Posts a second with so many threads. */
static double post_with(struct bench *b, size_t threads)
{
    pthread_t running[MOST_THREADS];
    usec start = clock_now();

    b->until = start + ROUND_TIME;
    atomic_store(&b->posts, 0);
    for (size_t i = 0; i < threads; i++)
        running[i] = thread_start("post", post_rows, b);
    for (size_t i = 0; i < threads; i++)
        thread_join(running[i]);
    return (double)atomic_load(&b->posts) * 1e6 / (double)(clock_now() - start);
}

static double append(struct bench *b)
{
    static const float row[SIZE];
    usec start = clock_now(), now = start;
    size_t n = 0;

    for (; now < start + ROUND_TIME; n++, now = clock_now()) {
        if (write(b->file, row, sizeof row) != sizeof row ||
            fsync(b->file) != 0)
            die("cannot append");
    }
    return (double)n * 1e6 / (double)(now - start);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void measure(struct bench *b, size_t threads)
{
    double posts[ROUNDS], peers[ROUNDS], ratios[ROUNDS];

    for (size_t i = 0; i < ROUNDS; i++) {
        posts[i] = post_with(b, threads);
        peers[i] = append(b);
        ratios[i] = posts[i] / peers[i];
    }
    qsort(posts, ROUNDS, sizeof *posts, compare);
    qsort(peers, ROUNDS, sizeof *peers, compare);
    qsort(ratios, ROUNDS, sizeof *ratios, compare);
    printf("| %zu | %.0f (%.0f-%.0f) | %.0f (%.0f-%.0f) | %.2f (%.2f-%.2f) |\n",
           threads, posts[ROUNDS / 2], posts[0], posts[ROUNDS - 1],
           peers[ROUNDS / 2], peers[0], peers[ROUNDS - 1], ratios[ROUNDS / 2],
           ratios[0], ratios[ROUNDS - 1]);
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    struct err e;
    char url[PATH_MAX + 32], path[PATH_MAX];

    if (argc != 2) {
        fprintf(stderr, "usage: store FOLDER\n");
        return 2;
    }
    snprintf(url, sizeof url, "sqlite:%s/store.sqlite", argv[1]);
    snprintf(path, sizeof path, "%s/appended", argv[1]);
    const struct store_settings settings = {
        .url = url, .max_waiting = 1024, .max_waiting_bytes = 64 << 20};
    b.store = store_open(&settings, &e);
    b.file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (b.store == NULL || b.file < 0)
        die(b.store == NULL ? e.msg : path);
    printf("Durable posts a second of one row of %d numbers, median "
           "(least-most) of %d rounds;\npeer: the row appended to a file, one "
           "fsync each, one thread.\n\n"
           "| threads | posts | appends with fsync | posts / appends |\n"
           "|---|---|---|---|\n",
           SIZE, ROUNDS);
    measure(&b, 1);
    measure(&b, 16);
    measure(&b, MOST_THREADS);
    close(b.file);
    store_close(b.store);
    return EXIT_SUCCESS;
}
