//! The face that every family of denoisers has: what it says of itself is what its architecture says, and what it is not
//! made for is refused.

mod attention;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use fidrunner::experiment::nets::arch::{Answer, Arch, Task};
use fidrunner::experiment::nets::presets;
use fidrunner::nets::denoiser::{Conditions, Denoiser};
use fidrunner::nets::inventory::initial;
use fidrunner::nets::open::denoiser;

const SIDE: usize = 16;

/// The preset's net of 16 pixels with ten classes; enlarging from 8 where it is a super-resolution net.
fn arch(task: Task) -> Arch {
    let Some((Arch::Unet(mut net), _)) = presets::arch("shapes16") else {
        panic!("shapes16 is a unet")
    };
    net.classes = Some(10);
    net.learn_sigma = true;
    if task == Task::Denoise {
        return Arch::Unet(net);
    }
    net.low_resolution = Some(8);
    Arch::SuperRes(net)
}

fn open(arch: &Arch) -> Box<dyn Denoiser> {
    let weights = initial(arch, 1).unwrap().into_iter().collect();
    let vb = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
    denoiser(arch, vb).unwrap()
}

/// The answer to two images at two times.
fn ask(net: &dyn Denoiser, labels: Option<&Tensor>, low: Option<&Tensor>) -> Result<Tensor> {
    let x = Tensor::randn(0f32, 1.0, (2, 3, SIDE, SIDE), &Device::Cpu)?;
    let t = Tensor::new(&[10f32, 900.0], &Device::Cpu)?;
    let given = Conditions {
        labels,
        low,
        ..Conditions::default()
    };
    net.denoise(&x, &t, &given)
}

#[test]
fn a_net_says_what_its_architecture_says() {
    for task in [Task::Denoise, Task::Upsample] {
        let arch = arch(task);
        let net = open(&arch);
        assert_eq!(arch.task(), task);
        assert_eq!(net.resolution(), arch.resolution());
        assert_eq!(net.classes(), arch.classes());
        assert_eq!(net.low_resolution(), arch.low_resolution());
        assert_eq!(Some(net.answer()), arch.answer());
        assert_eq!(net.answer(), Answer::MeanAndVariance);
    }
}

#[test]
fn a_net_is_told_what_it_needs_and_nothing_else() {
    let (unet, upsampler) = (open(&arch(Task::Denoise)), open(&arch(Task::Upsample)));
    let (unet, upsampler) = (unet.as_ref(), upsampler.as_ref());
    let y = &Tensor::new(&[3u32, 9], &Device::Cpu).unwrap();
    let small = &Tensor::zeros((2, 3, 8, 8), DType::F32, &Device::Cpu).unwrap();
    let shape = [2, 6, SIDE, SIDE];
    assert_eq!(ask(unet, Some(y), None).unwrap().dims(), shape);
    assert_eq!(ask(upsampler, Some(y), Some(small)).unwrap().dims(), shape);
    let refused = |answer: Result<Tensor>| answer.unwrap_err().to_string();
    let told = refused(ask(unet, Some(y), Some(small)));
    assert!(told.contains("was given small images"), "{told}");
    let told = refused(ask(upsampler, Some(y), None));
    assert!(told.contains("was given no small images"), "{told}");
    let told = refused(ask(unet, None, None));
    assert!(told.contains("was given no labels"), "{told}");
}

#[test]
fn a_net_of_another_purpose_is_no_denoiser() {
    let Some((arch, _)) = presets::arch("shapes-features") else {
        panic!("there is such a preset")
    };
    let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
    let Err(error) = denoiser(&arch, vb) else {
        panic!("a feature net was taken for a denoiser")
    };
    let error = error.to_string();
    assert!(
        error.starts_with("a feature net does not denoise"),
        "{error}"
    );
}
