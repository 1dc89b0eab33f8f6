-- Journal version 3 before attempts had retry_at, written by commit 368eb4d; see make.sh
PRAGMA page_size = 2048;
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA application_id = 1920298610;
PRAGMA user_version = 3;
BEGIN TRANSACTION;
CREATE TABLE applies (
    n INTEGER PRIMARY KEY, started REAL NOT NULL, ended REAL, sweep TEXT NOT NULL, total INTEGER NOT NULL,
    to_run INTEGER NOT NULL, backend TEXT NOT NULL, capacity TEXT NOT NULL, max_parallel INTEGER,
    host TEXT NOT NULL, boot TEXT, pids TEXT, user TEXT NOT NULL, pid INTEGER NOT NULL, version TEXT NOT NULL,
    revision TEXT, dirty INTEGER, text TEXT NOT NULL, recipe INTEGER NOT NULL, stopped TEXT, interrupted TEXT, outcomes TEXT,
    not_run INTEGER, usage TEXT
);
INSERT INTO "applies" VALUES(1,1.79606918912466216086e+09,1.79606918977299547194e+09,'sample',14,2,'local','{"cpu":"4","mem":"25276502016","gpu":"0"}',NULL,'vm','b3187000-0905-499a-a606-b5fda9b4097f','4026531836','root',9815,'0.1.0','368eb4d5516ec64b8f068b8be50f0e2d9935a8a1',0,'name: sample
exec: |
  case $kind in
    good) echo "loss=0.25"; echo ''{"acc": 0.5, "name": "grün"}'' > $$RUNNER_OUTPUT_DIR/m.json;;
    bad) echo "no such thing" >&2; exit 3;;
    slow) sleep 30;;
    big) exec python3 -c ''x = "x" * 400000000; import time; time.sleep(5)'';;
    flaky) test -e $$RUNNER_OUTPUT_DIR/again && exit 0; touch $$RUNNER_OUTPUT_DIR/again; exit 1;;
    stuck) touch $$RUNNER_OUTPUT_DIR/begun; sleep $$STUCK;;
  esac
build: "test $opt != -O9 && echo $opt > flags"
files: [in.txt]
repeat: 2
ranges:
  kind: [good, bad, slow, big, flaky]
  opt: [-O2]
include: [{kind: good, opt: -O9}, {kind: stuck, opt: -O2}]
timeout: 6s
grace: 1s
resources: {cpu: 1, mem: 100m}
capacity: {cpu: 4}
retry: {limit: 1, backoff: 1s, on: [failed]}
metrics: {loss: {regex: "loss=(.+)"}, acc: {json: m.json, key: acc}}
',1,NULL,'terminated','{"cancelled":2}',0,'{"seconds":0.6463575550005771,"busy":{"cpu":0.41986301219908506,"mem":0.005798053064872486},"limited_by":{}}');
INSERT INTO "applies" VALUES(2,1.79606919304781436925e+09,1.7960692009326860905e+09,'sample',14,14,'local','{"cpu":"4","mem":"25276502016","gpu":"0"}',NULL,'vm','b3187000-0905-499a-a606-b5fda9b4097f','4026531836','root',10244,'0.1.0','368eb4d5516ec64b8f068b8be50f0e2d9935a8a1',0,'name: sample
exec: |
  case $kind in
    good) echo "loss=0.25"; echo ''{"acc": 0.5, "name": "grün"}'' > $$RUNNER_OUTPUT_DIR/m.json;;
    bad) echo "no such thing" >&2; exit 3;;
    slow) sleep 30;;
    big) exec python3 -c ''x = "x" * 400000000; import time; time.sleep(5)'';;
    flaky) test -e $$RUNNER_OUTPUT_DIR/again && exit 0; touch $$RUNNER_OUTPUT_DIR/again; exit 1;;
    stuck) touch $$RUNNER_OUTPUT_DIR/begun; sleep $$STUCK;;
  esac
build: "test $opt != -O9 && echo $opt > flags"
files: [in.txt]
repeat: 2
ranges:
  kind: [good, bad, slow, big, flaky]
  opt: [-O2]
include: [{kind: good, opt: -O9}, {kind: stuck, opt: -O2}]
timeout: 6s
grace: 1s
resources: {cpu: 1, mem: 100m}
capacity: {cpu: 4}
retry: {limit: 1, backoff: 1s, on: [failed]}
metrics: {loss: {regex: "loss=(.+)"}, acc: {json: m.json, key: acc}}
',1,NULL,NULL,'{"failed":4,"succeeded":4,"out-of-memory":2,"timed-out":4}',0,'{"seconds":7.8720643400156405,"busy":{"cpu":0.9153213668967003,"mem":0.01517828929508897},"limited_by":{"cpu":0.7216895187359208}}');
INSERT INTO "applies" VALUES(3,1796069204.28366,NULL,'sample',14,2,'local','{"cpu":"4","mem":"25276502016","gpu":"0"}',NULL,'vm','b3187000-0905-499a-a606-b5fda9b4097f','4026531836','root',10868,'0.1.0','368eb4d5516ec64b8f068b8be50f0e2d9935a8a1',0,'name: sample
exec: |
  case $kind in
    good) echo "loss=0.25"; echo ''{"acc": 0.5, "name": "grün"}'' > $$RUNNER_OUTPUT_DIR/m.json;;
    bad) echo "no such thing" >&2; exit 3;;
    slow) sleep 30;;
    big) exec python3 -c ''x = "x" * 400000000; import time; time.sleep(5)'';;
    flaky) test -e $$RUNNER_OUTPUT_DIR/again && exit 0; touch $$RUNNER_OUTPUT_DIR/again; exit 1;;
    stuck) touch $$RUNNER_OUTPUT_DIR/begun; sleep $$STUCK;;
  esac
build: "test $opt != -O9 && echo $opt > flags"
files: [in.txt]
repeat: 2
ranges:
  kind: [good, bad, slow, big, flaky]
  opt: [-O2]
include: [{kind: good, opt: -O9}, {kind: stuck, opt: -O2}]
timeout: 6s
grace: 1s
resources: {cpu: 1, mem: 100m}
capacity: {cpu: 4}
retry: {limit: 1, backoff: 1s, on: [failed]}
metrics: {loss: {regex: "loss=(.+)"}, acc: {json: m.json, key: acc}}
',1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "applies" VALUES(4,1796069206.18366,1.79606920764005565643e+09,'sample',14,2,'local','{"cpu":"4","mem":"25276502016","gpu":"0"}',NULL,'vm','b3187000-0905-499a-a606-b5fda9b4097f','4026531836','root',11172,'0.1.0','368eb4d5516ec64b8f068b8be50f0e2d9935a8a1',0,'name: sample
exec: |
  case $kind in
    good) echo "loss=0.25"; echo ''{"acc": 0.5, "name": "grün"}'' > $$RUNNER_OUTPUT_DIR/m.json;;
    bad) echo "no such thing" >&2; exit 3;;
    slow) sleep 30;;
    big) exec python3 -c ''x = "x" * 400000000; import time; time.sleep(5)'';;
    flaky) test -e $$RUNNER_OUTPUT_DIR/again && exit 0; touch $$RUNNER_OUTPUT_DIR/again; exit 1;;
    stuck) touch $$RUNNER_OUTPUT_DIR/begun; sleep $$STUCK;;
  esac
build: "test $opt != -O9 && echo $opt > flags"
files: [in.txt]
repeat: 2
ranges:
  kind: [good, bad, slow, big, flaky]
  opt: [-O2]
include: [{kind: good, opt: -O9}, {kind: stuck, opt: -O2}]
timeout: 6s
grace: 1s
resources: {cpu: 1, mem: 100m}
capacity: {cpu: 4}
retry: {limit: 1, backoff: 1s, on: [failed]}
metrics: {loss: {regex: "loss=(.+)"}, acc: {json: m.json, key: acc}}
',1,NULL,NULL,'{"failed":2}',0,'{"seconds":1.4238809820089955,"busy":{"cpu":0.14528446679661006,"mem":0.00241080518118037},"limited_by":{}}');
INSERT INTO "applies" VALUES(5,1.79606921081205248829e+09,NULL,'sample',14,2,'local','{"cpu":"4","mem":"25276502016","gpu":"0"}',NULL,'vm','b3187000-0905-499a-a606-b5fda9b4097f','4026531836','root',11298,'0.1.0','368eb4d5516ec64b8f068b8be50f0e2d9935a8a1',0,'name: sample
exec: |
  case $kind in
    good) echo "loss=0.25"; echo ''{"acc": 0.5, "name": "grün"}'' > $$RUNNER_OUTPUT_DIR/m.json;;
    bad) echo "no such thing" >&2; exit 3;;
    slow) sleep 30;;
    big) exec python3 -c ''x = "x" * 400000000; import time; time.sleep(5)'';;
    flaky) test -e $$RUNNER_OUTPUT_DIR/again && exit 0; touch $$RUNNER_OUTPUT_DIR/again; exit 1;;
    stuck) touch $$RUNNER_OUTPUT_DIR/begun; sleep $$STUCK;;
  esac
build: "test $opt != -O9 && echo $opt > flags"
files: [in.txt]
repeat: 2
ranges:
  kind: [good, bad, slow, big, flaky]
  opt: [-O2]
include: [{kind: good, opt: -O9}, {kind: stuck, opt: -O2}]
timeout: 6s
grace: 1s
resources: {cpu: 1, mem: 100m}
capacity: {cpu: 4}
retry: {limit: 1, backoff: 1s, on: [failed]}
metrics: {loss: {regex: "loss=(.+)"}, acc: {json: m.json, key: acc}}
',1,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE attempts (
    session INTEGER, number INTEGER, apply INTEGER NOT NULL, name TEXT NOT NULL, backend TEXT NOT NULL,
    job TEXT, host TEXT, devices TEXT, submitted REAL NOT NULL, started REAL, ended REAL, outcome TEXT,
    exit_code INTEGER, reason TEXT, duration REAL, cpu_time REAL, max_rss INTEGER, metrics TEXT,
    PRIMARY KEY (session, number)
) WITHOUT ROWID;
INSERT INTO "attempts" VALUES(1,1,1,'17d941023c74-062279798491f2be-1','local','10165','vm',NULL,1.79606918931799674037e+09,1.79606918932900547986e+09,1.79606918977268838885e+09,'cancelled',143,'terminated',0.418256,0.002522,NULL,NULL);
INSERT INTO "attempts" VALUES(1,2,2,'17d941023c74-062279798491f2be-2','local','10581','vm',NULL,1.79606919481308674813e+09,1.79606919481439566608e+09,1.79606920085889148717e+09,'timed-out',143,'ran longer than 6s',6.017203,0.001912,NULL,NULL);
INSERT INTO "attempts" VALUES(1,3,3,'17d941023c74-062279798491f2be-3','local','11150','vm',NULL,1.79606920429520273202e+09,1.79606920442822504046e+09,1.796069206215609312e+09,'lost',NULL,'runner died before it ended; it no longer ran',NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(1,4,5,'17d941023c74-062279798491f2be-4','local','11539','vm',NULL,1.79606921082900810237e+09,1.79606921099722981454e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(2,1,1,'17d941023c74-d12f0a79f89a455c-1','local','10162','vm',NULL,1.79606918931869649885e+09,1.79606918932203102109e+09,1.79606918976758551595e+09,'cancelled',143,'terminated',0.438024,0.002683,NULL,NULL);
INSERT INTO "attempts" VALUES(2,2,2,'17d941023c74-d12f0a79f89a455c-2','local','10586','vm',NULL,1.79606919487274026866e+09,1.79606919487326312061e+09,1.79606920093231582644e+09,'timed-out',143,'ran longer than 6s',6.034252,0.00213,NULL,NULL);
INSERT INTO "attempts" VALUES(2,3,3,'17d941023c74-d12f0a79f89a455c-3','local','11148','vm',NULL,1.79606920429595184321e+09,1.79606920441687679295e+09,1.79606920621093368523e+09,'lost',NULL,'runner died before it ended; it no longer ran',NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(2,4,5,'17d941023c74-d12f0a79f89a455c-4','local','11537','vm',NULL,1.79606921082948112482e+09,1.79606921098489093775e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(3,1,2,'17d941023c74-c821b0ff64a48c20-1','local','10431','vm',NULL,1.79606919306113910674e+09,1.7960691932393767834e+09,1.79606919361135387424e+09,'succeeded',0,NULL,0.012725,0.001075,NULL,'{"loss":0.25,"acc":0.5}');
INSERT INTO "attempts" VALUES(4,1,2,'17d941023c74-f58e769c19bdb5d4-1','local','10430','vm',NULL,1.79606919306164503104e+09,1.79606919323767614364e+09,1.7960691935898947716e+09,'succeeded',0,NULL,0.014418,0.000986,NULL,'{"loss":0.25,"acc":0.5}');
INSERT INTO "attempts" VALUES(5,1,2,'17d941023c74-c4f759c7e5d3ab54-1','local','10428','vm',NULL,1.796069193061975956e+09,1.79606919322436499588e+09,1.79606919358619785309e+09,'failed',3,'exit code 3',0.027717,0.001223,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(5,2,2,'17d941023c74-c4f759c7e5d3ab54-2','local','10573','vm',NULL,1.7960691947058830261e+09,1.79606919470696163175e+09,1.79606919471461868283e+09,'failed',3,'exit code 3',0.005694,0.00124,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(5,3,4,'17d941023c74-c4f759c7e5d3ab54-3','local','11235','vm',NULL,1.79606920622423028941e+09,1.796069206344319582e+09,1.79606920662336802486e+09,'failed',3,'exit code 3',0.008376,0.000915,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(5,4,4,'17d941023c74-c4f759c7e5d3ab54-4','local','11283','vm',NULL,1.79606920762428379058e+09,1.79606920762855315205e+09,1.79606920763888669011e+09,'failed',3,'exit code 3',0.003649,0.000819,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(6,1,2,'17d941023c74-7160a7ac4756e4c7-1','local','10427','vm',NULL,1.79606919306228351596e+09,1.79606919321434211735e+09,1.79606919357558083528e+09,'failed',3,'exit code 3',0.03771,0.001043,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(6,2,2,'17d941023c74-7160a7ac4756e4c7-2','local','10572','vm',NULL,1.79606919468397331239e+09,1.79606919468957328795e+09,1.79606919470510172846e+09,'failed',3,'exit code 3',0.010121,0.001297,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(6,3,4,'17d941023c74-7160a7ac4756e4c7-3','local','11234','vm',NULL,1.79606920622467279438e+09,1.79606920633211064337e+09,1.79606920662042379372e+09,'failed',3,'exit code 3',0.02057,0.000986,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(6,4,4,'17d941023c74-7160a7ac4756e4c7-4','local','11282','vm',NULL,1.79606920762257909777e+09,1.79606920762730026246e+09,1.79606920763987517363e+09,'failed',3,'exit code 3',0.004865,0.000819,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(7,1,2,'17d941023c74-146f53be45777b88-1','local','10452','vm',NULL,1.79606919357650494572e+09,1.79606919358731484414e+09,1.79606919962796759602e+09,'timed-out',143,'ran longer than 6s',6.034084,0.000994,NULL,NULL);
INSERT INTO "attempts" VALUES(8,1,2,'17d941023c74-3d168363a3f95790-1','local','10454','vm',NULL,1.79606919358700704578e+09,1.79606919359004521367e+09,1.79606919961775231362e+09,'timed-out',143,'ran longer than 6s',6.025386,0.001215,NULL,NULL);
INSERT INTO "attempts" VALUES(9,1,2,'17d941023c74-a37ba198ba1d6963-1','local','10456','vm',NULL,1.79606919360034275059e+09,1.79606919360116219523e+09,1.79606919487210750585e+09,'out-of-memory',137,'used 100 MiB of its 100 MiB of memory',1.270236,0.242907,104857600,NULL);
INSERT INTO "attempts" VALUES(10,1,2,'17d941023c74-efd41a15a517276e-1','local','10457','vm',NULL,1.79606919361232113836e+09,1.796069193612885952e+09,1.79606919468325042718e+09,'out-of-memory',137,'used 100 MiB of its 100 MiB of memory',1.06969,0.232365,104857600,NULL);
INSERT INTO "attempts" VALUES(11,1,2,'17d941023c74-01d0ec5d8dc51ff3-1','local','10574','vm',NULL,1.79606919471537971495e+09,1.7960691947384989261e+09,1.79606919475564622877e+09,'failed',1,'exit code 1',0.015215,0.00227,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(11,2,2,'17d941023c74-01d0ec5d8dc51ff3-2','local','10780','vm',NULL,1.7960691996183331013e+09,1.79606919962167477602e+09,1.79606919962926650045e+09,'succeeded',0,NULL,0.005595,0.00112,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(12,1,2,'17d941023c74-94288610a554ff9e-1','local','10578','vm',NULL,1.79606919475649213788e+09,1.79606919477163743973e+09,1.79606919479254198077e+09,'failed',1,'exit code 1',0.019459,0.002746,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(12,2,2,'17d941023c74-94288610a554ff9e-2','local','10783','vm',NULL,1.79606919962839627264e+09,1.7960691996393165588e+09,1.7960691996499853134e+09,'succeeded',0,NULL,0.009383,0.000896,NULL,'{"loss":null,"acc":null}');
INSERT INTO "attempts" VALUES(13,1,2,'17d941023c74-2873c308b4cdc299-1','local',NULL,NULL,NULL,1.79606919481237578386e+09,NULL,1.79606919481247019774e+09,'failed',NULL,'build failed: exit code 1',NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(14,1,2,'17d941023c74-218de6edb13a7ae7-1','local',NULL,NULL,NULL,1.79606919481266760828e+09,NULL,1.79606919481269693378e+09,'failed',NULL,'build failed: exit code 1',NULL,NULL,NULL,NULL);
CREATE TABLE builds (
    build TEXT, apply INTEGER, command TEXT NOT NULL, name TEXT NOT NULL, backend TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, outcome TEXT, exit_code INTEGER, reason TEXT, duration REAL, PRIMARY KEY (build, apply)
) WITHOUT ROWID;
INSERT INTO "builds" VALUES('0734cd11cefa3b79',2,'test -O9 != -O9 && echo -O9 > flags','17d941023c74-0734cd11cefa3b79-build-849830b0','local',1.79606919479342842099e+09,1.79606919481199717517e+09,'failed',1,'exit code 1',0.004851);
INSERT INTO "builds" VALUES('f09da3b330f696f7',1,'test -O2 != -O9 && echo -O2 > flags','17d941023c74-f09da3b330f696f7-build-770a0131','local',1.79606918913613867756e+09,1.79606918931685304637e+09,'succeeded',0,NULL,0.011035);
CREATE TABLE joined (apply INTEGER PRIMARY KEY);
CREATE TABLE merges (token TEXT NOT NULL);
CREATE TABLE meta (state TEXT NOT NULL, created REAL NOT NULL, home TEXT);
INSERT INTO "meta" VALUES('17d941023c74',1.79606918890049982069e+09,'1faabe4077c15fab:2378163');
CREATE TABLE recipes (
    n INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, sans_files TEXT NOT NULL, parts TEXT NOT NULL
);
INSERT INTO "recipes" VALUES(1,'0b3406642f2e83c06084ee095bdf9e1734565e52e4c85fb2bba6c0afef3f2d6c','ff00791d2e6d693d80154d1bcac789116e0ab631e5b6c755946af12f0a38715f','{"exec":{"shell":["case ",{"var":"kind"}," in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"]},"build":["test ",{"var":"opt"}," != -O9 && echo ",{"var":"opt"}," > flags"],"files":{"in.txt":"98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4"}}');
CREATE TABLE sessions (
    n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, point BLOB NOT NULL, recipe INTEGER NOT NULL,
    attempts INTEGER NOT NULL, outcome TEXT
);
INSERT INTO "sessions" VALUES(1,X'062279798491F2BE',X'F02355D520AC2901',1,4,NULL);
INSERT INTO "sessions" VALUES(2,X'D12F0A79F89A455C',X'6DADEFE24DD89067',1,4,NULL);
INSERT INTO "sessions" VALUES(3,X'C821B0FF64A48C20',X'E560CD0CFC3C86BD',1,1,'succeeded');
INSERT INTO "sessions" VALUES(4,X'F58E769C19BDB5D4',X'17E826D7D2EF02F0',1,1,'succeeded');
INSERT INTO "sessions" VALUES(5,X'C4F759C7E5D3AB54',X'8A4FC3496028F85A',1,4,'failed');
INSERT INTO "sessions" VALUES(6,X'7160A7AC4756E4C7',X'16792496B9463D3B',1,4,'failed');
INSERT INTO "sessions" VALUES(7,X'146F53BE45777B88',X'9A2885168F650D06',1,1,'timed-out');
INSERT INTO "sessions" VALUES(8,X'3D168363A3F95790',X'55183A5CC91733D4',1,1,'timed-out');
INSERT INTO "sessions" VALUES(9,X'A37BA198BA1D6963',X'76DA753385112E69',1,1,'out-of-memory');
INSERT INTO "sessions" VALUES(10,X'EFD41A15A517276E',X'074C0DC05196E07B',1,1,'out-of-memory');
INSERT INTO "sessions" VALUES(11,X'01D0EC5D8DC51FF3',X'D1A527C01784F705',1,2,'succeeded');
INSERT INTO "sessions" VALUES(12,X'94288610A554FF9E',X'B8EFC55C60F1F251',1,2,'succeeded');
INSERT INTO "sessions" VALUES(13,X'2873C308B4CDC299',X'494128050FDBB6A3',1,1,'failed');
INSERT INTO "sessions" VALUES(14,X'218DE6EDB13A7AE7',X'B68AEA025A2884AB',1,1,'failed');
CREATE TABLE texts (
    session INTEGER PRIMARY KEY, repeat INTEGER NOT NULL, params TEXT NOT NULL, exec TEXT NOT NULL
);
INSERT INTO "texts" VALUES(1,0,'[["kind","stuck","stuck"],["opt","-O2","-O2"]]','"case stuck in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(2,1,'[["kind","stuck","stuck"],["opt","-O2","-O2"]]','"case stuck in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(3,0,'[["kind","good","good"],["opt","-O2","-O2"]]','"case good in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(4,1,'[["kind","good","good"],["opt","-O2","-O2"]]','"case good in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(5,0,'[["kind","bad","bad"],["opt","-O2","-O2"]]','"case bad in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(6,1,'[["kind","bad","bad"],["opt","-O2","-O2"]]','"case bad in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(7,0,'[["kind","slow","slow"],["opt","-O2","-O2"]]','"case slow in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(8,1,'[["kind","slow","slow"],["opt","-O2","-O2"]]','"case slow in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(9,0,'[["kind","big","big"],["opt","-O2","-O2"]]','"case big in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(10,1,'[["kind","big","big"],["opt","-O2","-O2"]]','"case big in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(11,0,'[["kind","flaky","flaky"],["opt","-O2","-O2"]]','"case flaky in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(12,1,'[["kind","flaky","flaky"],["opt","-O2","-O2"]]','"case flaky in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(13,0,'[["kind","good","good"],["opt","-O9","-O9"]]','"case good in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
INSERT INTO "texts" VALUES(14,1,'[["kind","good","good"],["opt","-O9","-O9"]]','"case good in\n  good) echo \"loss=0.25\"; echo ''{\"acc\": 0.5, \"name\": \"gr\u00fcn\"}'' > $RUNNER_OUTPUT_DIR/m.json;;\n  bad) echo \"no such thing\" >&2; exit 3;;\n  slow) sleep 30;;\n  big) exec python3 -c ''x = \"x\" * 400000000; import time; time.sleep(5)'';;\n  flaky) test -e $RUNNER_OUTPUT_DIR/again && exit 0; touch $RUNNER_OUTPUT_DIR/again; exit 1;;\n  stuck) touch $RUNNER_OUTPUT_DIR/begun; sleep $STUCK;;\nesac\n"');
COMMIT;
