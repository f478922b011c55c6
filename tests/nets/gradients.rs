//! Whole nets recorded: every weight's gradient is the one that candle's own `backward` gives.

use crate::support::archs::variables;
use crate::support::tensors::normal;
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor};
use fidrunner::experiment::nets::arch::{
    Arch, ClassifierArch, FeatureArch, Pool, QkvOrder, Trunk, UnetArch,
};
use fidrunner::kernels::gradients::checkpoint::Activations;
use fidrunner::kernels::gradients::record::recording;
use fidrunner::nets::adm::classifier::Classifier;
use fidrunner::nets::adm::layers::Dropout;
use fidrunner::nets::adm::unet::Unet;
use fidrunner::nets::denoiser::{Conditions, Denoiser};
use fidrunner::nets::features::FeatureNet;

fn trunk() -> Trunk {
    Trunk {
        resolution: 8,
        in_channels: 3,
        channels: 32,
        res_blocks: 1,
        channel_mult: vec![1.0, 2.0],
        attention: vec![4],
        heads: 1,
        channels_per_head: Some(32),
        qkv_order: QkvOrder::New,
        adagn: true,
        updown: true,
        conv_resample: true,
        norm_groups: 32,
        rescale_residual: false,
    }
}

fn images() -> Result<(Tensor, Tensor, Tensor)> {
    let y = Tensor::new(&[1u32, 4], &Device::Cpu)?;
    let t = Tensor::new(&[3f32, 700.0], &Device::Cpu)?;
    Ok((normal(7, &[2, 3, 8, 8], 1.0)?, t, y))
}

/// `answer` is the net's; every weight has the gradient of its squares' mean.
fn assert_as_candle(
    arch: &Arch,
    answer: impl Fn(&candle_nn::VarBuilder<'static>) -> Result<Tensor>,
) -> Result<()> {
    let (variables, vb) = variables(arch, "net.");
    let loss = || answer(&vb)?.sqr()?.mean_all();
    let want = loss()?.backward()?;
    let (recorded, record) = recording(loss);
    let got = record.backward(&recorded?)?;
    let mut reached = 0;
    for (name, var) in &variables {
        let (got, want) = (got.get(var), want.get(var));
        assert_eq!(got.is_some(), want.is_some(), "{name}");
        if let (Some(got), Some(want)) = (got, want) {
            let [got, want] = [got, want].map(|t| t.flatten_all()?.to_vec1::<f32>());
            assert_eq!(got?, want?, "{name}");
            reached += 1;
        }
    }
    assert_eq!(reached, variables.len());
    Ok(())
}

/// `answer` is the net's, with its activations kept or calculated again: every weight has the same gradient but for the order
/// in which a tensor's gradients are added.
fn assert_as_kept(
    arch: &Arch,
    answer: impl Fn(&candle_nn::VarBuilder<'static>, Activations) -> Result<Tensor>,
) -> Result<()> {
    let (variables, vb) = variables(arch, "net.");
    let [kept, recomputed] = [Activations::Kept, Activations::Recomputed].map(|activations| {
        let (loss, record) = recording(|| answer(&vb, activations)?.sqr()?.mean_all());
        let loss = loss?;
        Ok::<_, candle_core::Error>((loss.to_scalar::<f32>()?, record.backward(&loss)?))
    });
    let ((loss, kept), (again, recomputed)) = (kept?, recomputed?);
    assert_eq!(loss.to_bits(), again.to_bits(), "the answers");
    let list = |grads: &GradStore, var: &Tensor| {
        grads
            .get(var)
            .expect("a gradient")
            .flatten_all()?
            .to_vec1::<f32>()
    };
    let most = |values: &[f32]| values.iter().fold(0f32, |most, g| most.max(g.abs()));
    let mut largest = 0f32;
    for var in variables.values() {
        largest = largest.max(most(&list(&kept, var)?));
    }
    for (name, var) in &variables {
        let (want, got) = (list(&kept, var)?, list(&recomputed, var)?);
        // A bias before a normalisation of single channels has no gradient: what is there is what did not cancel.
        let near = 1e-5 * most(&want) + f32::EPSILON * largest;
        for (got, want) in got.iter().zip(&want) {
            assert!(
                (got - want).abs() <= near,
                "{name}: {got} for {want}, of {largest}"
            );
        }
    }
    Ok(())
}

fn trunks() -> [Trunk; 6] {
    let with = |change: &dyn Fn(&mut Trunk)| {
        let mut trunk = trunk();
        change(&mut trunk);
        trunk
    };
    [
        trunk(),
        with(&|t| t.qkv_order = QkvOrder::Legacy),
        with(&|t| t.updown = false),
        with(&|t| (t.updown, t.conv_resample) = (false, false)),
        with(&|t| t.adagn = false),
        with(&|t| t.rescale_residual = true),
    ]
}

fn of_trunk(trunk: Trunk) -> UnetArch {
    UnetArch {
        trunk,
        heads_up: None,
        classes: Some(5),
        null_class: false,
        learn_sigma: true,
        low_resolution: None,
    }
}

#[test]
fn a_unet_with_any_of_its_options() -> Result<()> {
    let (x, t, y) = images()?;
    for arch in trunks().map(of_trunk) {
        for p in [0.0, 0.3] {
            assert_as_candle(&Arch::Unet(arch.clone()), |vb| {
                let dropout = Dropout::new(p, 1, 2);
                Unet::new(&arch, vb.clone())?.forward(&x, &t, Some(&y), Some(&dropout))
            })?;
        }
    }
    Ok(())
}

#[test]
fn nets_whose_blocks_are_in_halves() -> Result<()> {
    let (x, t, y) = images()?;
    for dtype in [DType::BF16, DType::F16] {
        for arch in trunks().map(of_trunk) {
            assert_as_candle(&Arch::Unet(arch.clone()), |vb| {
                let dropout = Dropout::new(0.3, 1, 2);
                let net = Unet::new(&arch, vb.clone().to_dtype(dtype))?;
                net.forward(&x, &t, Some(&y), Some(&dropout))
            })?;
        }
        for arch in classifiers() {
            assert_as_candle(&Arch::Classifier(arch.clone()), |vb| {
                Classifier::new(&arch, vb.clone().to_dtype(dtype))?.log_probs(&x, &t)
            })?;
        }
    }
    Ok(())
}

#[test]
fn a_unet_that_recomputes_its_activations() -> Result<()> {
    let (x, t, y) = images()?;
    for arch in trunks().map(of_trunk) {
        for p in [0.0, 0.3] {
            assert_as_kept(&Arch::Unet(arch.clone()), |vb, activations| {
                let dropout = Dropout::new(p, 1, 2);
                let given = Conditions {
                    labels: Some(&y),
                    dropout: Some(&dropout),
                    activations,
                    ..Conditions::default()
                };
                Unet::new(&arch, vb.clone())?.denoise(&x, &t, &given)
            })?;
        }
    }
    Ok(())
}

fn classifiers() -> [ClassifierArch; 4] {
    let pools = [
        Pool::Adaptive,
        Pool::Attention,
        Pool::Spatial,
        Pool::SpatialV2,
    ];
    pools.map(|pool| ClassifierArch {
        trunk: trunk(),
        classes: 5,
        pool,
    })
}

#[test]
fn a_classifier_that_recomputes_its_activations() -> Result<()> {
    let (x, t, _) = images()?;
    for arch in classifiers() {
        assert_as_kept(&Arch::Classifier(arch.clone()), |vb, activations| {
            Classifier::new(&arch, vb.clone())?.log_probs_with(&x, &t, activations)
        })?;
    }
    Ok(())
}

#[test]
fn a_classifier_with_any_pool() -> Result<()> {
    let (x, t, _) = images()?;
    for arch in classifiers() {
        assert_as_candle(&Arch::Classifier(arch.clone()), |vb| {
            Classifier::new(&arch, vb.clone())?.log_probs(&x, &t)
        })?;
    }
    Ok(())
}

#[test]
fn a_feature_net() -> Result<()> {
    let arch = FeatureArch {
        resolution: 16,
        channels: 32,
        pool: 16,
        spatial: 4,
        classes: 5,
        attributes: 3,
    };
    let (x, ..) = images()?;
    assert_as_candle(&Arch::Features(arch.clone()), |vb| {
        let seen = FeatureNet::new(&arch, vb.clone())?.forward(&x)?;
        Tensor::cat(&[&seen.logits, &seen.attributes], 1)
    })
}
