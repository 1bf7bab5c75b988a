<?php
// A PHP page for logged-in users: the web server asks Postern before it runs the
// page, and passes the user in variables. Read SESSION_… and REMOTE_USER only:
// variables that begin with HTTP_ come from the client.
declare(strict_types=1);

// Deny if the server's configuration is missing.
$subject = $_SERVER['SESSION_SUBJECT'] ?? '';
if ($subject === '') {
    http_response_code(403);
    header('Content-Type: text/plain; charset=utf-8');
    exit("This page is not protected: see doc/legacy.md\n");
}

$name = htmlspecialchars($_SERVER['SESSION_NAME'] ?? '', ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
$id = htmlspecialchars($subject, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
$end = htmlspecialchars($_SERVER['SESSION_EXPIRES'] ?? '', ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');

header('Content-Type: text/html; charset=utf-8');
header('Cache-Control: private, no-cache');
?>
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Members, by PHP</title></head>
<body>
<h1>Hello, <?= $name ?></h1>
<p>You are number <?= $id ?>, and logged in until <?= $end ?>.</p>
</body>
</html>
