// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/base/result.hpp"

// DSNs on their way into the queue, so that a kill or a power cut at any point makes neither none nor two of one:
//   1. the DSN is durable in dsn/, where nobody sends it (write_dsn)
//   2. the message that it is about says so in its own file, durably: Notified or Warned, "DSN <id>"
//   3. it moves to new/ (release_dsn), and is a message like others
// What is found in dsn/ at the start is at step 3 if its message says so or is gone, which it only is behind step 2;
// else it never was.
namespace gk::queue {

std::string dsn_mark(const std::string& dsn_id);  // "DSN <id>"

// Step 3. One that is there already is none the worse for it.
Status release_dsn(const std::string& spool_dir, const std::string& dsn_id);
// One whose message is deleted before step 2.
void discard_dsn(const std::string& spool_dir, const std::string& dsn_id);
// With the spool's lock, where nobody makes DSNs: brings all to their end, but for those it cannot, which it logs.
Status settle_dsns(const std::string& spool_dir);

}  // namespace gk::queue
