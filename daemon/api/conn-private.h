/* SPDX-License-Identifier: Apache-2.0 */
/* conn-private - what the files of conn share. */
#pragma once

#include "api/conn.h"

/* Handle the whole frames that were read. */
void conn_parse(struct conn *c);
/* Is so little to be written that more may be read? */
bool conn_has_room_out(const struct conn *c);
/* Watch the socket for what is wanted now. */
void conn_watch(struct conn *c);
