/* SPDX-License-Identifier: Apache-2.0 */
/* fake-direct - what a test may tell the stand-in for the in-caller half. */
#pragma once

#include <kcf/client.h>

extern bool fake_direct_done; /* every call finishes in the caller's thread */
extern enum kcf_status fake_direct_status;
extern unsigned fake_direct_modules; /* direct_attach_module was called, for row 3 */
extern unsigned fake_direct_forks;   /* direct_after_fork was called */
