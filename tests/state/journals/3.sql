-- Journal version 3, written by commit c086aad; see make.sh
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
INSERT INTO "applies" VALUES(1,1.79606921619687533381e+09,1.7960692169605987072e+09,'sample',14,2,'local','{"cpu":"4","mem":"25276502016","gpu":"0"}',NULL,'vm','b3187000-0905-499a-a606-b5fda9b4097f','4026531836','root',11673,'0.1.0','c086aad5746d160793e114d5c815ea8f012ada7b',0,'name: sample
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
',1,NULL,'terminated','{"cancelled":2}',0,'{"seconds":0.7622014929947909,"busy":{"cpu":0.3694656394569989,"mem":0.00406937429524459},"limited_by":{}}');
INSERT INTO "applies" VALUES(2,1.79606921903928637507e+09,1.79606922711977672578e+09,'sample',14,14,'local','{"cpu":"4","mem":"25276502016","gpu":"0"}',NULL,'vm','b3187000-0905-499a-a606-b5fda9b4097f','4026531836','root',11949,'0.1.0','c086aad5746d160793e114d5c815ea8f012ada7b',0,'name: sample
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
',1,NULL,NULL,'{"succeeded":4,"failed":4,"out-of-memory":2,"timed-out":4}',0,'{"seconds":8.066306674998486,"busy":{"cpu":0.9166676689429498,"mem":0.01519581201695318},"limited_by":{"cpu":0.7088254213941654}}');
INSERT INTO "applies" VALUES(3,1.79606923007225775714e+09,NULL,'sample',14,2,'local','{"cpu":"4","mem":"25276502016","gpu":"0"}',NULL,'vm','b3187000-0905-499a-a606-b5fda9b4097f','4026531836','root',12478,'0.1.0','c086aad5746d160793e114d5c815ea8f012ada7b',0,'name: sample
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
INSERT INTO "applies" VALUES(4,1.79606923222658300398e+09,1.79606923364259076121e+09,'sample',14,2,'local','{"cpu":"4","mem":"25276502016","gpu":"0"}',NULL,'vm','b3187000-0905-499a-a606-b5fda9b4097f','4026531836','root',12778,'0.1.0','c086aad5746d160793e114d5c815ea8f012ada7b',0,'name: sample
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
',1,NULL,NULL,'{"failed":2}',0,'{"seconds":1.3657276519952575,"busy":{"cpu":0.1300692962016839,"mem":0.002158329380349286},"limited_by":{}}');
INSERT INTO "applies" VALUES(5,1.79606923822799134258e+09,NULL,'sample',14,2,'local','{"cpu":"4","mem":"25276502016","gpu":"0"}',NULL,'vm','b3187000-0905-499a-a606-b5fda9b4097f','4026531836','root',12924,'0.1.0','c086aad5746d160793e114d5c815ea8f012ada7b',0,'name: sample
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
    retry_at REAL, PRIMARY KEY (session, number)
) WITHOUT ROWID;
INSERT INTO "attempts" VALUES(1,1,1,'425022af0a12-062279798491f2be-1','local','11914','vm',NULL,1.79606921658620309828e+09,1.79606921659183096885e+09,1.79606921695970201489e+09,'cancelled',143,'terminated',0.362776,0.003065,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(1,2,2,'425022af0a12-062279798491f2be-2','local','12186','vm',NULL,1.79606922102398228646e+09,1.79606922103682422635e+09,1.79606922711481833453e+09,'timed-out',143,'ran longer than 6s',6.069015,0.003069,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(1,3,3,'425022af0a12-062279798491f2be-3','local','12733','vm',NULL,1.79606923008125209809e+09,1.79606923020215225213e+09,1.79606923227632737155e+09,'lost',NULL,'runner died before it ended; it no longer ran',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(1,4,5,'425022af0a12-062279798491f2be-4','local','13555','vm',NULL,1.79606923824212980273e+09,1.79606923847373294825e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(2,1,1,'425022af0a12-d12f0a79f89a455c-1','local','11916','vm',NULL,1.79606921658658862115e+09,1.79606921660254287721e+09,1.79606921696028375623e+09,'cancelled',143,'terminated',0.352079,0.002712,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(2,2,2,'425022af0a12-d12f0a79f89a455c-2','local','12189','vm',NULL,1.79606922103838706015e+09,1.79606922104028034212e+09,1.79606922711941742899e+09,'timed-out',143,'ran longer than 6s',6.038771,0.002815,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(2,3,3,'425022af0a12-d12f0a79f89a455c-3','local','12736','vm',NULL,1.7960692300816085338e+09,1.79606923020903921127e+09,1.79606923227577567094e+09,'lost',NULL,'runner died before it ended; it no longer ran',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(2,4,5,'425022af0a12-d12f0a79f89a455c-4','local','13562','vm',NULL,1.79606923824258232118e+09,1.79606923848337101941e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(3,1,2,'425022af0a12-c821b0ff64a48c20-1','local','12031','vm',NULL,1.79606921905391669273e+09,1.79606921921887421607e+09,1.79606921967750287052e+09,'succeeded',0,NULL,0.067064,0.001125,NULL,'{"loss":0.25,"acc":0.5}',NULL);
INSERT INTO "attempts" VALUES(4,1,2,'425022af0a12-f58e769c19bdb5d4-1','local','12032','vm',NULL,1.79606921905429577825e+09,1.79606921923240637779e+09,1.7960692196955077648e+09,'succeeded',0,NULL,0.053555,0.001412,NULL,'{"loss":0.25,"acc":0.5}',NULL);
INSERT INTO "attempts" VALUES(5,1,2,'425022af0a12-c4f759c7e5d3ab54-1','local','12035','vm',NULL,1.79606921905453515049e+09,1.79606921926454544068e+09,1.7960692197074849606e+09,'failed',3,'exit code 3',0.021429,0.001043,NULL,'{"loss":null,"acc":null}',1.7960692207074849605e+09);
INSERT INTO "attempts" VALUES(5,2,2,'425022af0a12-c4f759c7e5d3ab54-2','local','12176','vm',NULL,1796069220.9001,1.79606922091758823391e+09,1.79606922093559837343e+09,'failed',3,'exit code 3',0.004742,0.001028,NULL,'{"loss":null,"acc":null}',NULL);
INSERT INTO "attempts" VALUES(5,3,4,'425022af0a12-c4f759c7e5d3ab54-3','local','12850','vm',NULL,1.79606923227732300754e+09,1.79606923238001513478e+09,1.79606923260545492176e+09,'failed',3,'exit code 3',0.009036,0.000904,NULL,'{"loss":null,"acc":null}',1.79606923360545492167e+09);
INSERT INTO "attempts" VALUES(5,4,4,'425022af0a12-c4f759c7e5d3ab54-4','local','12896','vm',NULL,1.79606923360743975636e+09,1.79606923361314916613e+09,1.79606923363107490532e+09,'failed',3,'exit code 3',0.003614,0.00108,NULL,'{"loss":null,"acc":null}',NULL);
INSERT INTO "attempts" VALUES(6,1,2,'425022af0a12-7160a7ac4756e4c7-1','local','12036','vm',NULL,1.79606921905476260179e+09,1.79606921926523208617e+09,1.79606921971818208694e+09,'failed',3,'exit code 3',0.021251,0.001277,NULL,'{"loss":null,"acc":null}',1.79606922071818208693e+09);
INSERT INTO "attempts" VALUES(6,2,2,'425022af0a12-7160a7ac4756e4c7-2','local','12178','vm',NULL,1.79606922093677306168e+09,1.79606922094087338446e+09,1.79606922097571516036e+09,'failed',3,'exit code 3',0.009795,0.001283,NULL,'{"loss":null,"acc":null}',NULL);
INSERT INTO "attempts" VALUES(6,3,4,'425022af0a12-7160a7ac4756e4c7-3','local','12851','vm',NULL,1.79606923227773857118e+09,1.79606923238826322562e+09,1.79606923261985135078e+09,'failed',3,'exit code 3',0.003165,0.000884,NULL,'{"loss":null,"acc":null}',1.79606923361985135081e+09);
INSERT INTO "attempts" VALUES(6,4,4,'425022af0a12-7160a7ac4756e4c7-4','local','12902','vm',NULL,1796069233.62689,1.79606923362959098816e+09,1.79606923364222931856e+09,'failed',3,'exit code 3',0.010897,0.000816,NULL,'{"loss":null,"acc":null}',NULL);
INSERT INTO "attempts" VALUES(7,1,2,'425022af0a12-146f53be45777b88-1','local','12055','vm',NULL,1.79606921967869472499e+09,1.79606921968295550348e+09,1.79606922572855663301e+09,'timed-out',143,'ran longer than 6s',6.044555,0.001156,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(8,1,2,'425022af0a12-3d168363a3f95790-1','local','12058','vm',NULL,1.79606921968215012546e+09,1.79606921968852138518e+09,1.79606922572821545601e+09,'timed-out',143,'ran longer than 6s',6.039019,0.001311,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(9,1,2,'425022af0a12-a37ba198ba1d6963-1','local','12060','vm',NULL,1.7960692196966872215e+09,1.79606921970412683484e+09,1.79606922096544313434e+09,'out-of-memory',137,'used 100 MiB of its 100 MiB of memory',1.246519,0.219744,104857600,NULL,NULL);
INSERT INTO "attempts" VALUES(10,1,2,'425022af0a12-efd41a15a517276e-1','local','12061','vm',NULL,1.79606921969725179667e+09,1.79606921971538758273e+09,1.7960692208994319439e+09,'out-of-memory',137,'used 100 MiB of its 100 MiB of memory',1.181149,0.220685,104857600,NULL,NULL);
INSERT INTO "attempts" VALUES(11,1,2,'425022af0a12-01d0ec5d8dc51ff3-1','local','12179','vm',NULL,1.7960692209370498657e+09,1.79606922095111250876e+09,1796069220.99308,'failed',1,'exit code 1',0.022728,0.002784,NULL,'{"loss":null,"acc":null}',1796069221.99308);
INSERT INTO "attempts" VALUES(11,2,2,'425022af0a12-01d0ec5d8dc51ff3-2','local','12399','vm',NULL,1.79606922572902369503e+09,1.79606922575092649461e+09,1.7960692257800791264e+09,'succeeded',0,NULL,0.027646,0.001229,NULL,'{"loss":null,"acc":null}',NULL);
INSERT INTO "attempts" VALUES(12,1,2,'425022af0a12-94288610a554ff9e-1','local','12183','vm',NULL,1.7960692209762890339e+09,1.79606922099249649051e+09,1.79606922103774046899e+09,'failed',1,'exit code 1',0.035137,0.003107,NULL,'{"loss":null,"acc":null}',1.79606922203774046903e+09);
INSERT INTO "attempts" VALUES(12,2,2,'425022af0a12-94288610a554ff9e-2','local','12402','vm',NULL,1.79606922572938036914e+09,1.79606922577144861221e+09,1.79606922578056120874e+09,'succeeded',0,NULL,0.007137,0.000874,NULL,'{"loss":null,"acc":null}',NULL);
INSERT INTO "attempts" VALUES(13,1,2,'425022af0a12-2873c308b4cdc299-1','local',NULL,NULL,NULL,1.79606922102216935155e+09,NULL,1.79606922102326226238e+09,'failed',NULL,'build failed: exit code 1',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(14,1,2,'425022af0a12-218de6edb13a7ae7-1','local',NULL,NULL,NULL,1.79606922102352094651e+09,NULL,1.79606922102357459067e+09,'failed',NULL,'build failed: exit code 1',NULL,NULL,NULL,NULL,NULL);
CREATE TABLE builds (
    build TEXT, apply INTEGER, command TEXT NOT NULL, name TEXT NOT NULL, backend TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, outcome TEXT, exit_code INTEGER, reason TEXT, duration REAL, PRIMARY KEY (build, apply)
) WITHOUT ROWID;
INSERT INTO "builds" VALUES('0734cd11cefa3b79',2,'test -O9 != -O9 && echo -O9 > flags','425022af0a12-0734cd11cefa3b79-build-249ab6cc','local',1.79606922099436211587e+09,1.7960692210217180252e+09,'failed',1,'exit code 1',0.004112);
INSERT INTO "builds" VALUES('f09da3b330f696f7',1,'test -O2 != -O9 && echo -O2 > flags','425022af0a12-f09da3b330f696f7-build-442cc565','local',1796069216.20737,1.79606921658529043199e+09,'succeeded',0,NULL,0.018319);
CREATE TABLE joined (apply INTEGER PRIMARY KEY);
CREATE TABLE merges (token TEXT NOT NULL);
CREATE TABLE meta (state TEXT NOT NULL, created REAL NOT NULL, home TEXT);
INSERT INTO "meta" VALUES('425022af0a12',1.79606921594750833506e+09,'1faabe4077c15fab:2418925');
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
