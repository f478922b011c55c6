//! What FID's Inception-v3 is made of, as data: every convolution by its name in the `.pth`, every branch in order.
//!
//! torchvision's `inception_v3` with the differences that the TensorFlow graph of 2015-12-05 has: 1008 classes, no
//! auxiliary head, means that do not count what lies past the edges, and a pool of maxima in `Mixed_7c`.

/// Classes of the head, and its inputs.
pub const CLASSES: usize = 1008;
pub const POOL: usize = 2048;
/// Added to the variances of the batch normalisations.
pub const EPS: f64 = 1e-3;

/// A convolution without bias, its batch normalisation and ReLU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// such as `Mixed_5b.branch1x1`
    pub name: String,
    pub cin: usize,
    pub cout: usize,
    pub kernel: (usize, usize),
    pub stride: usize,
    pub padding: (usize, usize),
}

/// One step of a branch; `C` is a convolution, by its description or ready to run.
#[derive(Clone, Debug)]
pub enum Step<C> {
    Conv(C),
    /// 3 x 3
    Max {
        stride: usize,
        pad: usize,
    },
    /// 3 x 3 of stride 1, around every pixel
    Mean,
    /// both of the same maps, one after the other; always last
    Fork([C; 2]),
}

/// Branches whose results are stacked in this order.
#[derive(Clone, Debug)]
pub struct Block<C> {
    pub name: &'static str,
    pub branches: Vec<Vec<Step<C>>>,
    /// channels of the result
    pub channels: usize,
    /// whether it halves the size, without padding
    pub halves: bool,
}

impl<C> Block<C> {
    /// The same block of other convolutions.
    pub fn map<D, E>(&self, f: &mut dyn FnMut(&C) -> Result<D, E>) -> Result<Block<D>, E> {
        let mut step = |s: &Step<C>| -> Result<Step<D>, E> {
            Ok(match s {
                Step::Conv(c) => Step::Conv(f(c)?),
                Step::Max { stride, pad } => Step::Max {
                    stride: *stride,
                    pad: *pad,
                },
                Step::Mean => Step::Mean,
                Step::Fork([a, b]) => Step::Fork([f(a)?, f(b)?]),
            })
        };
        let branches: Result<Vec<Vec<Step<D>>>, E> = self
            .branches
            .iter()
            .map(|branch| branch.iter().map(&mut step).collect())
            .collect();
        Ok(Block {
            name: self.name,
            branches: branches?,
            channels: self.channels,
            halves: self.halves,
        })
    }
}

fn unit(
    name: &str,
    (cin, cout): (usize, usize),
    kernel: (usize, usize),
    stride: usize,
    padding: (usize, usize),
) -> Unit {
    Unit {
        name: name.to_string(),
        cin,
        cout,
        kernel,
        stride,
        padding,
    }
}

/// The three convolutions before the first pool, and the two before the second.
pub fn stem() -> ([Unit; 3], [Unit; 2]) {
    let three = (3, 3);
    (
        [
            unit("Conv2d_1a_3x3", (3, 32), three, 2, (0, 0)),
            unit("Conv2d_2a_3x3", (32, 32), three, 1, (0, 0)),
            unit("Conv2d_2b_3x3", (32, 64), three, 1, (1, 1)),
        ],
        [
            unit("Conv2d_3b_1x1", (64, 80), (1, 1), 1, (0, 0)),
            unit("Conv2d_4a_3x3", (80, 192), three, 1, (0, 0)),
        ],
    )
}

/// The eleven mixed blocks.
pub fn blocks() -> Vec<Block<Unit>> {
    vec![
        block_a("Mixed_5b", 192, 32),
        block_a("Mixed_5c", 256, 64),
        block_a("Mixed_5d", 288, 64),
        block_b("Mixed_6a", 288),
        block_c("Mixed_6b", 768, 128),
        block_c("Mixed_6c", 768, 160),
        block_c("Mixed_6d", 768, 160),
        block_c("Mixed_6e", 768, 192),
        block_d("Mixed_7a", 768),
        block_e("Mixed_7b", 1280, Step::Mean),
        block_e("Mixed_7c", 2048, Step::Max { stride: 1, pad: 1 }),
    ]
}

/// Every convolution, in the order in which the `.pth` lists them.
pub fn units() -> Vec<Unit> {
    let (first, second) = stem();
    let mut all: Vec<Unit> = first.into_iter().chain(second).collect();
    for block in blocks() {
        for step in block.branches.into_iter().flatten() {
            match step {
                Step::Conv(unit) => all.push(unit),
                Step::Fork(two) => all.extend(two),
                Step::Max { .. } | Step::Mean => {}
            }
        }
    }
    all
}

/// A branch that is being written down: convolutions named `block.branch` + suffix, each as wide as the one before.
struct Branch {
    prefix: String,
    width: usize,
    steps: Vec<Step<Unit>>,
}

impl Branch {
    fn of(block: &str, branch: &str, width: usize) -> Branch {
        Branch {
            prefix: format!("{block}.{branch}"),
            width,
            steps: Vec::new(),
        }
    }

    fn unit(&self, suffix: &str, cout: usize, kernel: (usize, usize), stride: usize) -> Unit {
        // Stride 1 keeps the size, stride 2 reaches over no edge.
        let padding = match stride {
            1 => (kernel.0 / 2, kernel.1 / 2),
            _ => (0, 0),
        };
        let name = format!("{}{suffix}", self.prefix);
        unit(&name, (self.width, cout), kernel, stride, padding)
    }

    fn conv(mut self, suffix: &str, cout: usize, kernel: (usize, usize)) -> Branch {
        let unit = self.unit(suffix, cout, kernel, 1);
        self.steps.push(Step::Conv(unit));
        self.width = cout;
        self
    }

    fn halving(mut self, suffix: &str, cout: usize) -> Branch {
        let unit = self.unit(suffix, cout, (3, 3), 2);
        self.steps.push(Step::Conv(unit));
        self.width = cout;
        self
    }

    /// 1x3 and 3x1 beside each other.
    fn fork(mut self, suffixes: [&str; 2], cout: usize) -> Branch {
        let two = [
            self.unit(suffixes[0], cout, (1, 3), 1),
            self.unit(suffixes[1], cout, (3, 1), 1),
        ];
        self.steps.push(Step::Fork(two));
        self.width = 2 * cout;
        self
    }

    fn pool(mut self, step: Step<Unit>) -> Branch {
        self.steps.push(step);
        self
    }
}

const ONE: (usize, usize) = (1, 1);
const THREE: (usize, usize) = (3, 3);
const LINE: (usize, usize) = (1, 7);
const COLUMN: (usize, usize) = (7, 1);

fn block(name: &'static str, branches: Vec<Branch>) -> Block<Unit> {
    Block {
        name,
        channels: branches.iter().map(|b| b.width).sum(),
        branches: branches.into_iter().map(|b| b.steps).collect(),
        halves: false,
    }
}

fn block_a(name: &'static str, cin: usize, pooled: usize) -> Block<Unit> {
    let branch = |label: &str| Branch::of(name, label, cin);
    block(
        name,
        vec![
            branch("branch1x1").conv("", 64, ONE),
            branch("branch5x5")
                .conv("_1", 48, ONE)
                .conv("_2", 64, (5, 5)),
            branch("branch3x3dbl")
                .conv("_1", 64, ONE)
                .conv("_2", 96, THREE)
                .conv("_3", 96, THREE),
            branch("branch_pool").pool(Step::Mean).conv("", pooled, ONE),
        ],
    )
}

fn block_b(name: &'static str, cin: usize) -> Block<Unit> {
    let branch = |label: &str| Branch::of(name, label, cin);
    let block = block(
        name,
        vec![
            branch("branch3x3").halving("", 384),
            branch("branch3x3dbl")
                .conv("_1", 64, ONE)
                .conv("_2", 96, THREE)
                .halving("_3", 96),
            branch("pool").pool(Step::Max { stride: 2, pad: 0 }),
        ],
    );
    Block {
        halves: true,
        ..block
    }
}

fn block_c(name: &'static str, cin: usize, c: usize) -> Block<Unit> {
    let branch = |label: &str| Branch::of(name, label, cin);
    block(
        name,
        vec![
            branch("branch1x1").conv("", 192, ONE),
            branch("branch7x7")
                .conv("_1", c, ONE)
                .conv("_2", c, LINE)
                .conv("_3", 192, COLUMN),
            branch("branch7x7dbl")
                .conv("_1", c, ONE)
                .conv("_2", c, COLUMN)
                .conv("_3", c, LINE)
                .conv("_4", c, COLUMN)
                .conv("_5", 192, LINE),
            branch("branch_pool").pool(Step::Mean).conv("", 192, ONE),
        ],
    )
}

fn block_d(name: &'static str, cin: usize) -> Block<Unit> {
    let branch = |label: &str| Branch::of(name, label, cin);
    let block = block(
        name,
        vec![
            branch("branch3x3").conv("_1", 192, ONE).halving("_2", 320),
            branch("branch7x7x3")
                .conv("_1", 192, ONE)
                .conv("_2", 192, LINE)
                .conv("_3", 192, COLUMN)
                .halving("_4", 192),
            branch("pool").pool(Step::Max { stride: 2, pad: 0 }),
        ],
    );
    Block {
        halves: true,
        ..block
    }
}

fn block_e(name: &'static str, cin: usize, pool: Step<Unit>) -> Block<Unit> {
    let branch = |label: &str| Branch::of(name, label, cin);
    block(
        name,
        vec![
            branch("branch1x1").conv("", 320, ONE),
            branch("branch3x3")
                .conv("_1", 384, ONE)
                .fork(["_2a", "_2b"], 384),
            branch("branch3x3dbl")
                .conv("_1", 448, ONE)
                .conv("_2", 384, THREE)
                .fork(["_3a", "_3b"], 384),
            branch("branch_pool").pool(pool).conv("", 192, ONE),
        ],
    )
}
