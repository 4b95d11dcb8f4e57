/* SPDX-License-Identifier: Apache-2.0 */
/* request-pool - the scheduler's side of a request's memory. Loop thread. */
#pragma once

struct request;

/* Its memory stays for a user besides the owner, even after request_free; the last unhold then
 * wipes it and gives it back. */
void request_hold(struct request *r);
void request_unhold(struct request *r);
/* Free what is kept for later requests. */
void request_pool_trim(void);
