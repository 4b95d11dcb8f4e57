/* SPDX-License-Identifier: Apache-2.0 */
/* speed-plot - a picture of what was measured: a panel for each operation and sweep. */
#pragma once

#include <stdio.h>

#include "speed-sweep.h"

/* "CPU model, n CPUs", as the kernel calls it. */
void speed_machine(char *ret, size_t room);
/* False if writing failed. Without rows an empty picture. */
bool speed_plot(FILE *f, const struct speed_rows *rows, const char *machine);
