/* Comparing floats for the tests. */
#include "tests/support/near.h"

#include <check.h>
#include <math.h>

static int is_near(double got, double want, double tolerance)
{
    double scale = fabs(want) > 1 ? fabs(want) : 1;

    return fabs(got - want) <= tolerance * scale;
}

void near_value(const char *file, int line, const char *name, double got,
                double want, double tolerance)
{
    ck_assert_msg(is_near(got, want, tolerance),
                  "%s:%d: %s is %.9g, want %.9g within %g", file, line, name,
                  got, want, tolerance);
}

void near_floats(const char *file, int line, const char *name, const float *got,
                 const float *want, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(is_near((double)got[i], (double)want[i], tolerance),
                      "%s:%d: %s[%zu] is %.9g, want %.9g within %g", file, line,
                      name, i, (double)got[i], (double)want[i], tolerance);
    }
}
